//! The row format's bytes: golden, and whatever else a disk or a peer may come up with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use repertoire_core::limits::{KEY_MAX, VALUE_MAX};
use repertoire_core::{
    Cell, EXPIRE_FUNCTION, EngineError, FormatError, LogFormat, Operation, RecordContext,
    RowChange, Space, StateView, WriteBatch,
};
use repertoire_log_formats::expiry::{Expiry, expire_args};
use repertoire_log_formats::row::{self, Change, Logged};
use repertoire_log_formats::{Row, RowOptions};

struct Holds(Option<Bytes>);

impl StateView for Holds {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.0.clone())
    }
}

fn cell(value: &[u8], expires_at: Option<u64>) -> Bytes {
    let mut out = BytesMut::new();
    let cell = Cell {
        expires_at,
        versions: None,
        value,
    };
    cell.encode_into(&mut out);
    out.freeze()
}

fn blind(operation: &Operation<'_>) -> Result<Bytes, FormatError> {
    let mut out = BytesMut::new();
    Row::default().capture_blind(RecordContext::default(), operation, &mut out)?;
    Ok(out.freeze())
}

fn put<'a>(key: &'a [u8], value: &'a [u8], expires_at: Option<u64>) -> Operation<'a> {
    Operation::Put {
        key,
        value,
        expires_at,
    }
}

#[test]
fn bytes_on_disk_do_not_change() {
    let golden = [
        (put(b"k", b"vv", None), &b"\x01\x01\0k\x03\0\0\0\0vv"[..]),
        (
            put(b"k", b"v", Some(5)),
            b"\x01\x01\0k\x0a\0\0\0\x01\x05\0\0\0\0\0\0\0v",
        ),
        (Operation::Delete { key: b"kk" }, b"\x02\x02\0kk"),
    ];
    for (operation, bytes) in golden {
        assert_eq!(blind(&operation).unwrap(), bytes, "{operation:?}");
    }
    let due = Expiry {
        expires_at: 5,
        key: b"k",
    };
    let expire = Operation::Call {
        function: EXPIRE_FUNCTION,
        args: &expire_args([due]),
    };
    let bytes = b"\x04\x01\0k\x05\0\0\0\0\0\0\0";
    assert_eq!(blind(&expire).unwrap(), &bytes[..]);
}

#[test]
fn before_images_can_be_read_back() {
    let row = Row::new(RowOptions { before_image: true });
    assert!(row.needs_before_image());
    let (after, before) = (cell(b"new", None), cell(b"old", None));
    let key = Bytes::from_static(b"key");
    let change = |after: Option<&Bytes>, before: Option<&Bytes>| RowChange {
        key: key.clone(),
        after: after.cloned(),
        before: before.cloned(),
    };
    let changes = [
        change(Some(&after), Some(&before)),
        change(None, Some(&before)),
        change(Some(&after), None),
    ];
    let mut out = BytesMut::new();
    let operation = Operation::Delete { key: b"any" };
    row.capture(RecordContext::default(), &operation, &changes, &mut out)
        .unwrap();
    let logged = |change, before| Logged {
        key: &key,
        change,
        before,
    };
    let expected = [
        logged(Change::Put(&after), Some(&before[..])),
        logged(Change::Delete, Some(&before[..])),
        logged(Change::Put(&after), None),
    ];
    let found: Result<Vec<_>, _> = row::changes(&out).collect();
    assert_eq!(found.unwrap(), expected);
}

#[test]
fn expiring_cells_have_index_rows_that_can_be_found() {
    let payload = blind(&put(b"k", b"v", Some(1000))).unwrap();
    let mut batch = WriteBatch::default();
    let row = Row::default();
    let (context, view) = (RecordContext::default(), Holds(None));
    row.replay(context, &payload, &view, &mut batch).unwrap();
    let index = &batch.changes[0];
    assert_eq!(index.space, Space::Replicated);
    let expiry = Expiry::from_index_key(&index.key).unwrap();
    assert_eq!((expiry.expires_at, expiry.key), (1000, &b"k"[..]));
    let end = |wall| repertoire_log_formats::expiry::index_end(repertoire_core::Wall(wall));
    assert!(index.key[..] < end(1000)[..], "due at its time");
    assert!(index.key[..] >= end(999)[..], "and not before");
}

#[test]
fn no_expiry_reaches_rows_of_other_owners() {
    for expires_at in [1 << 48, u64::from_be_bytes(*b"\0dedup/x"), u64::MAX] {
        let payload = blind(&put(b"k", b"v", Some(expires_at))).unwrap();
        let mut batch = WriteBatch::default();
        let (row, context) = (Row::default(), RecordContext::default());
        row.replay(context, &payload, &Holds(None), &mut batch)
            .unwrap();
        assert!(batch.changes.iter().all(|c| c.space == Space::Data));
    }
}

#[test]
fn too_long_keys_and_values_are_refused() {
    let (key, value) = (vec![0; KEY_MAX + 1], vec![0; VALUE_MAX + 1]);
    for operation in [put(&key, b"", None), put(b"k", &value, None)] {
        assert!(matches!(
            blind(&operation),
            Err(FormatError::Unsupported { .. })
        ));
    }
    let longest = vec![0; KEY_MAX];
    assert!(blind(&put(&longest, &value[1..], Some(1))).is_ok());
}

fn replay(payload: &[u8], holds: Option<Bytes>) -> usize {
    let mut batch = WriteBatch::default();
    let (row, context) = (Row::default(), RecordContext::default());
    let result = row.replay(context, payload, &Holds(holds), &mut batch);
    if result.is_err() {
        assert!(
            batch.changes.is_empty(),
            "a damaged payload changes nothing"
        );
    }
    let bytes = |change: &repertoire_core::StateChange<'_>| {
        change.key.len() + change.value.as_ref().map_or(0, |value| value.len())
    };
    let total: usize = batch.changes.iter().map(bytes).sum();
    assert!(total <= 2 * payload.len() + 8 * batch.changes.len());
    batch.changes.len()
}

/// Payloads that look right at first: real kinds, short keys.
fn almost_a_payload() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![0_u8, 1, 2, 3, 4, 0x81, 0x82, 0x84, 0xFF]);
    let change = (kind, 0..4_u8, prop::collection::vec(0..6_u8, 0..20));
    prop::collection::vec(change, 0..10).prop_map(|changes| {
        let mut payload = Vec::new();
        for (kind, key_len, rest) in changes {
            payload.extend([kind, key_len, 0]);
            payload.extend(rest);
        }
        payload
    })
}

proptest! {
    #[test]
    fn garbage_never_panics(payload in prop::collection::vec(any::<u8>(), 0..200),
                            held in prop::option::of(prop::collection::vec(any::<u8>(), 0..20))) {
        replay(&payload, held.map(Bytes::from));
    }

    #[test]
    fn almost_right_payloads_never_panic(payload in almost_a_payload()) {
        replay(&payload, Some(cell(b"v", Some(0))));
    }

    #[test]
    fn what_was_captured_replays(key in prop::collection::vec(any::<u8>(), 0..50),
                                 value in prop::collection::vec(any::<u8>(), 0..50),
                                 expires_at in prop::option::of(0..1_u64 << 48)) {
        let payload = blind(&put(&key, &value, expires_at)).unwrap();
        prop_assert_eq!(replay(&payload, None), 1 + usize::from(expires_at.is_some()));
        let found: Result<Vec<_>, _> = row::changes(&payload).collect();
        let cell = cell(&value, expires_at);
        let change = Change::Put(&cell);
        prop_assert_eq!(found.unwrap(), vec![Logged { key: &key, change, before: None }]);
    }
}
