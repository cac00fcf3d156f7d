//! Numbers kept as text.

use bytes::Bytes;

use super::{arg, integer};
use crate::reply::{Failure, Reply};
use crate::value::Kind;
use crate::work::Work;

const OVERFLOW: Failure = Failure::Borrowed("ERR increment or decrement would overflow");

pub(crate) fn incr(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    add(work, arg(args, 1), 1)
}

pub(crate) fn decr(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    add(work, arg(args, 1), -1)
}

pub(crate) fn incrby(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    add(work, arg(args, 1), integer(arg(args, 2))?)
}

pub(crate) fn decrby(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let by = integer(arg(args, 2))?;
    let by = by
        .checked_neg()
        .ok_or(Failure::Borrowed("ERR decrement would overflow"))?;
    add(work, arg(args, 1), by)
}

fn add(work: &mut Work<'_>, key: &[u8], by: i64) -> Result<Reply, Failure> {
    let found = work.string(key)?;
    let (old, expires_at) = match &found {
        Some(value) => (integer(&value.payload)?, value.expires_at),
        None => (0, None),
    };
    let new = old.checked_add(by).ok_or(OVERFLOW)?;
    work.put(key, Kind::String, Bytes::from(new.to_string()), expires_at)?;
    Ok(Reply::Int(new))
}
