//! Strings.

use bytes::{Bytes, BytesMut};

use super::expiry::{invalid, point};
use super::{arg, integer, is, rest};
use crate::reply::{Failure, OK, Reply, SYNTAX};
use crate::value::Kind;
use crate::work::Work;

pub(crate) fn get(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let found = work.string(arg(args, 1))?;
    Ok(found.map_or(Reply::Nil, |value| Reply::Bulk(value.payload)))
}

pub(crate) fn getdel(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let reply = get(work, args)?;
    work.remove(arg(args, 1));
    Ok(reply)
}

pub(crate) fn strlen(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let found = work.string(arg(args, 1))?;
    Ok(Reply::count(found.map_or(0, |value| value.payload.len())))
}

pub(crate) fn append(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let (key, more) = (arg(args, 1), arg(args, 2));
    let (old, expires_at) = match work.string(key)? {
        Some(value) => (value.payload, value.expires_at),
        None => (Bytes::new(), None),
    };
    let mut payload = BytesMut::with_capacity(old.len() + more.len());
    payload.extend_from_slice(&old);
    payload.extend_from_slice(more);
    let len = payload.len();
    work.put(key, Kind::String, payload.freeze(), expires_at)?;
    Ok(Reply::count(len))
}

pub(crate) fn mget(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    // Another kind counts as absent here, in Redis too.
    let of = |key: &&[u8]| match work.string(key) {
        Ok(Some(value)) => Reply::Bulk(value.payload),
        Ok(None) | Err(_) => Reply::Nil,
    };
    Ok(Reply::Array(rest(args, 1).iter().map(of).collect()))
}

pub(crate) fn mset(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let pairs = rest(args, 1).chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err("ERR wrong number of arguments for 'mset' command".into());
    }
    for pair in pairs {
        let payload = Bytes::copy_from_slice(arg(pair, 1));
        work.put(arg(pair, 0), Kind::String, payload, None)?;
    }
    Ok(OK)
}

pub(crate) fn set(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let key = arg(args, 1);
    let options = SetOptions::parse(rest(args, 3), work.now_ms())?;
    let old = if options.is_get {
        work.string(key)?
    } else {
        work.get(key)
    };
    let is_met = !(options.is_new && old.is_some() || options.is_known && old.is_none());
    if is_met {
        let kept = old.as_ref().and_then(|value| value.expires_at);
        let kept = kept.filter(|_| options.is_keep);
        let payload = Bytes::copy_from_slice(arg(args, 2));
        match options.expires_at {
            // The past: the key is gone at once.
            Some(at) if at <= work.now_ms() => {
                work.remove(key);
            }
            at => work.put(key, Kind::String, payload, at.or(kept))?,
        }
    }
    Ok(match old {
        Some(old) if options.is_get => Reply::Bulk(old.payload),
        None if options.is_get => Reply::Nil,
        _ if is_met => OK,
        _ => Reply::Nil,
    })
}

#[derive(Default)]
struct SetOptions {
    is_new: bool,
    is_known: bool,
    is_get: bool,
    is_keep: bool,
    expires_at: Option<u64>,
}

impl SetOptions {
    fn parse(words: &[&[u8]], now_ms: u64) -> Result<Self, Failure> {
        let mut options = Self::default();
        // The amount is judged after the syntax of everything, as in Redis.
        let mut expiry: Option<(&[u8], i64, bool)> = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match () {
                () if is(word, "nx") && !options.is_known => options.is_new = true,
                () if is(word, "xx") && !options.is_new => options.is_known = true,
                () if is(word, "get") => options.is_get = true,
                () if is(word, "keepttl") && expiry.is_none() => options.is_keep = true,
                () => {
                    let (unit_ms, is_point) = unit(word).ok_or(SYNTAX)?;
                    let amount = words.next().ok_or(SYNTAX)?;
                    let is_other = |(_, ms, point)| (ms, point) != (unit_ms, is_point);
                    if expiry.is_some_and(is_other) || options.is_keep {
                        return Err(SYNTAX);
                    }
                    expiry = Some((amount, unit_ms, is_point));
                }
            }
        }
        if let Some((amount, unit_ms, is_point)) = expiry {
            let amount = integer(amount)?;
            let now_ms = if is_point { 0 } else { now_ms };
            let at = Some(amount).filter(|amount| *amount > 0);
            let at = at.and_then(|amount| point(now_ms, amount, unit_ms));
            let at = at.and_then(|at| u64::try_from(at).ok());
            options.expires_at = Some(at.ok_or_else(|| invalid("set"))?);
        }
        Ok(options)
    }
}

/// The unit of a time, and whether it is a point in time.
fn unit(word: &[u8]) -> Option<(i64, bool)> {
    let known = [
        ("ex", 1000, false),
        ("px", 1, false),
        ("exat", 1000, true),
        ("pxat", 1, true),
    ];
    let found = known.iter().find(|(name, ..)| is(word, name));
    found.map(|(_, unit_ms, is_point)| (*unit_ms, *is_point))
}
