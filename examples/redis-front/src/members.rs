//! How the members of a set are stored: in order, each with its length in front.

use bytes::{BufMut, Bytes, BytesMut};

/// The members, in order. Ends early when the bytes are damaged.
pub fn iter(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk()?;
        let (member, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        rest = after;
        Some(member)
    })
}

/// Whether `member` is one of them.
pub fn contains(payload: &[u8], member: &[u8]) -> bool {
    iter(payload).any(|found| found == member)
}

/// Adds members; returns the new payload and how many were not there before.
///
/// ```
/// use redis_front::members::{add, iter};
/// let (payload, added) = add(b"", &[b"b", b"a", b"b"]);
/// assert_eq!((iter(&payload).count(), added), (2, 2));
/// ```
pub fn add(payload: &[u8], new: &[&[u8]]) -> (Bytes, usize) {
    let mut members: Vec<&[u8]> = iter(payload).collect();
    let before = members.len();
    members.extend_from_slice(new);
    members.sort_unstable();
    members.dedup();
    (encode(&members), members.len() - before)
}

/// Removes members; returns the new payload and how many were there before.
pub fn remove(payload: &[u8], gone: &[&[u8]]) -> (Bytes, usize) {
    let before = iter(payload).count();
    let left: Vec<&[u8]> = iter(payload)
        .filter(|member| !gone.contains(member))
        .collect();
    (encode(&left), before - left.len())
}

fn encode(members: &[&[u8]]) -> Bytes {
    let len = members.iter().map(|member| member.len() + 4).sum();
    let mut out = BytesMut::with_capacity(len);
    for member in members {
        out.put_u32_le(u32::try_from(member.len()).unwrap_or(u32::MAX));
        out.put_slice(member);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::{add, contains, iter, remove};

    #[test]
    fn members_are_distinct_whatever_bytes_they_hold() {
        let (payload, added) = add(b"", &[b"", b"\x00", b"a", b"\x00"]);
        assert_eq!(added, 3);
        assert!(contains(&payload, b"") && contains(&payload, b"\x00"));
        assert_eq!(add(&payload, &[b"a"]).1, 0);
        let (payload, removed) = remove(&payload, &[b"a", b"b", b"a"]);
        assert_eq!((removed, iter(&payload).count()), (1, 2));
        assert!(remove(&payload, &[b"", b"\x00"]).0.is_empty());
    }

    #[test]
    fn damaged_bytes_end_the_walk() {
        assert_eq!(iter(b"\x05\0\0\0abc").count(), 0);
        assert_eq!(iter(b"\x01\0\0\0a\x01").count(), 1);
    }
}
