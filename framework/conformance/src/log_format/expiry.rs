//! Logged expiry.

use repertoire_core::{EXPIRE_FUNCTION, LogFormat, Operation, Wall};
use repertoire_log_formats::expiry::{Expiry, expire_args};

use super::history::History;
use super::replica::{self, Pace};
use crate::engine::NewEngine;

/// An expiry removes a key that still expires at that time and no other, whether the key's last
/// change is in the engine, waits for it, or is in the same batch. Replicas end up equal.
///
/// # Panics
/// When the format does otherwise.
pub fn logged_expiries_remove_what_still_expires(format: &dyn LogFormat, new: NewEngine<'_>) {
    let mut history = History {
        wall: Wall(500),
        ..History::default()
    };
    let put = |key, expires_at| Operation::Put {
        key,
        value: b"v",
        expires_at,
    };
    for key in [
        &b"due"[..],
        b"prolonged",
        b"made eternal",
        b"deleted",
        b"due twice",
    ] {
        history.run(format, &put(key, Some(1000)));
    }
    history.run(format, &put(b"prolonged", Some(2000)));
    history.run(format, &put(b"made eternal", None));
    history.run(format, &Operation::Delete { key: b"deleted" });
    history.run(format, &put(b"far away", Some(u64::MAX)));
    history.wall = Wall(1000);
    let due = |key| Expiry {
        expires_at: 1000,
        key,
    };
    let args = expire_args([
        due(b"due"),
        due(b"prolonged"),
        due(b"made eternal"),
        due(b"deleted"),
        due(b"never there"),
        due(b"due twice"),
        due(b"due twice"),
    ]);
    let expire = Operation::Call {
        function: EXPIRE_FUNCTION,
        args: &args,
    };
    if !history.run(format, &expire) {
        return;
    }
    let mut digests = Vec::new();
    for pace in Pace::ALL {
        let engine = replica::replay(format, &history.records, new, pace);
        let keys: Vec<_> = replica::cells(engine.as_ref()).into_keys().collect();
        assert_eq!(
            keys,
            [&b"far away"[..], b"made eternal", b"prolonged"],
            "{pace:?}"
        );
        digests.push(engine.digest());
    }
    assert!(
        digests.windows(2).all(|pair| pair.first() == pair.last()),
        "{digests:?}"
    );
}
