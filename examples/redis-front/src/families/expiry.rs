//! When keys expire. Clients count from now; what is logged is the point in time.

use super::{arg, integer, is, rest};
use crate::reply::{Failure, Reply};
use crate::value::Value;
use crate::work::Work;

const BOTH: Failure =
    Failure::Borrowed("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_AND_LT: Failure =
    Failure::Borrowed("ERR GT and LT options at the same time are not compatible");

pub(crate) fn ttl(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let left = left_ms(work, arg(args, 1));
    // Redis rounds to the nearest second.
    Ok(Reply::Int(if left < 0 {
        left
    } else {
        (left + 500) / 1000
    }))
}

pub(crate) fn pttl(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    Ok(Reply::Int(left_ms(work, arg(args, 1))))
}

/// Milliseconds that a key has left; -1 when it does not expire, -2 when it is not there.
fn left_ms(work: &Work<'_>, key: &[u8]) -> i64 {
    match work.get(key).map(|value| value.expires_at) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => i64::try_from(at.saturating_sub(work.now_ms())).unwrap_or(i64::MAX),
    }
}

pub(crate) fn expire(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    expire_in(work, args, 1000)
}

pub(crate) fn pexpire(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    expire_in(work, args, 1)
}

fn expire_in(work: &mut Work<'_>, args: &[&[u8]], unit_ms: i64) -> Result<Reply, Failure> {
    let key = arg(args, 1);
    let when = When::parse(rest(args, 3))?;
    let name = if unit_ms == 1 { "pexpire" } else { "expire" };
    let at = point(work.now_ms(), integer(arg(args, 2))?, unit_ms).ok_or_else(|| invalid(name))?;
    let Some(value) = work.get(key).filter(|value| when.allows(value, at)) else {
        return Ok(Reply::Int(0));
    };
    match u64::try_from(at) {
        Ok(at) if at > work.now_ms() => work.put(key, value.kind, value.payload, Some(at))?,
        _ => {
            work.remove(key);
        }
    }
    Ok(Reply::Int(1))
}

pub(crate) fn persist(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let key = arg(args, 1);
    let Some(value) = work.get(key).filter(|value| value.expires_at.is_some()) else {
        return Ok(Reply::Int(0));
    };
    work.put(key, value.kind, value.payload, None)?;
    Ok(Reply::Int(1))
}

/// A point in time `amount` units from now; nothing when no clock can show it.
pub(crate) fn point(now_ms: u64, amount: i64, unit_ms: i64) -> Option<i64> {
    let now = i64::try_from(now_ms).ok()?;
    amount.checked_mul(unit_ms)?.checked_add(now)
}

/// The error for a time that no clock can show.
pub(crate) fn invalid(command: &str) -> Failure {
    format!("ERR invalid expire time in '{command}' command").into()
}

/// Under what condition `EXPIRE` does anything.
#[derive(Default)]
struct When {
    is_new: bool,
    is_known: bool,
    is_later: bool,
    is_earlier: bool,
}

impl When {
    fn parse(options: &[&[u8]]) -> Result<Self, Failure> {
        let mut when = Self::default();
        for option in options {
            match () {
                () if is(option, "nx") => when.is_new = true,
                () if is(option, "xx") => when.is_known = true,
                () if is(option, "gt") => when.is_later = true,
                () if is(option, "lt") => when.is_earlier = true,
                () => {
                    let option = String::from_utf8_lossy(option);
                    return Err(format!("ERR Unsupported option {option}").into());
                }
            }
        }
        if when.is_new && (when.is_known || when.is_later || when.is_earlier) {
            return Err(BOTH);
        }
        if when.is_later && when.is_earlier {
            return Err(GT_AND_LT);
        }
        Ok(when)
    }

    fn allows(&self, value: &Value, at: i64) -> bool {
        let known = value
            .expires_at
            .map(|at| i64::try_from(at).unwrap_or(i64::MAX));
        // What never expires expires later than everything else.
        let is_later = known.is_some_and(|known| at > known);
        let is_earlier = known.is_none_or(|known| at < known);
        !(self.is_new && known.is_some()
            || self.is_known && known.is_none()
            || self.is_later && !is_later
            || self.is_earlier && !is_earlier)
    }
}
