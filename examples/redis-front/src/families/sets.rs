//! Sets.

use super::{arg, rest};
use crate::members;
use crate::reply::{Failure, Reply};
use crate::value::Kind;
use crate::work::Work;

pub(crate) fn sadd(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let key = arg(args, 1);
    let (old, expires_at) = match work.set(key)? {
        Some(value) => (value.payload, value.expires_at),
        None => Default::default(),
    };
    let (payload, added) = members::add(&old, rest(args, 2));
    if added > 0 {
        work.put(key, Kind::Set, payload, expires_at)?;
    }
    Ok(Reply::count(added))
}

pub(crate) fn srem(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let key = arg(args, 1);
    let Some(value) = work.set(key)? else {
        return Ok(Reply::Int(0));
    };
    let (payload, removed) = members::remove(&value.payload, rest(args, 2));
    if payload.is_empty() {
        work.remove(key);
    } else if removed > 0 {
        work.put(key, Kind::Set, payload, value.expires_at)?;
    }
    Ok(Reply::count(removed))
}

pub(crate) fn smembers(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let payload = work.set(arg(args, 1))?.unwrap_or_empty();
    let members = members::iter(&payload).map(|member| Reply::Bulk(payload.slice_ref(member)));
    Ok(Reply::Set(members.collect()))
}

pub(crate) fn sismember(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let payload = work.set(arg(args, 1))?.unwrap_or_empty();
    Ok(Reply::flag(members::contains(&payload, arg(args, 2))))
}

pub(crate) fn scard(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let payload = work.set(arg(args, 1))?.unwrap_or_empty();
    Ok(Reply::count(members::iter(&payload).count()))
}

/// An absent set is an empty one.
trait OrEmpty {
    fn unwrap_or_empty(self) -> bytes::Bytes;
}

impl OrEmpty for Option<crate::value::Value> {
    fn unwrap_or_empty(self) -> bytes::Bytes {
        self.map(|value| value.payload).unwrap_or_default()
    }
}
