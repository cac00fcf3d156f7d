//! Keys of any kind.

use super::{arg, rest};
use crate::reply::{Failure, OK, Reply};
use crate::value::Kind;
use crate::work::Work;

pub(crate) fn del(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let removed = rest(args, 1).iter().filter(|key| work.remove(key)).count();
    Ok(Reply::count(removed))
}

pub(crate) fn exists(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let found = rest(args, 1).iter().filter(|key| work.get(key).is_some());
    Ok(Reply::count(found.count()))
}

pub(crate) fn kind(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    Ok(Reply::Simple(match work.get(arg(args, 1)) {
        None => "none",
        Some(value) => name_of(value.kind),
    }))
}

/// The name of a kind in the protocol.
pub(crate) const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Set => "set",
    }
}

pub(crate) fn ping(_: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    match args {
        [_] => Ok(Reply::Simple("PONG")),
        [_, text] => Ok(Reply::bulk(text)),
        _ => Err("ERR wrong number of arguments for 'ping' command".into()),
    }
}

pub(crate) fn echo(_: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    Ok(Reply::bulk(arg(args, 1)))
}

/// `UNWATCH` inside a transaction: whatever was watched has been compared already.
pub(crate) fn unwatch(_: &mut Work<'_>, _: &[&[u8]]) -> Result<Reply, Failure> {
    Ok(OK)
}
