//! Each session guarantee broken once, and all of them against their definition.

use proptest::prelude::*;
use repertoire_checker::session::{self, Access, AccessKind, Guarantee};
use repertoire_checker::{OpId, SessionId};

use super::support::{broken, random};

fn access(op: u64, session: u64, key: &[u8], kind: AccessKind) -> Access<'_> {
    Access {
        op: OpId(op),
        session: SessionId(session),
        key,
        kind,
    }
}

fn read(version: u64) -> AccessKind {
    AccessKind::Read { version }
}

fn write(version: u64) -> AccessKind {
    AccessKind::Write { version }
}

fn all(kinds: &[AccessKind]) -> Vec<&'static str> {
    let accesses = (1..)
        .zip(kinds)
        .map(|(op, kind)| access(op, 1, b"k", *kind));
    broken(&session::check(&Guarantee::ALL, accesses))
}

#[test]
fn each_guarantee_is_checked() {
    assert_eq!(
        all(&[read(0), write(1), read(1), read(3), write(4), read(4)]),
        [""; 0]
    );
    assert_eq!(all(&[write(2), read(1)]), ["SL7.read-your-writes"]);
    assert_eq!(all(&[read(2), read(1)]), ["SL7.monotonic-reads"]);
    assert_eq!(all(&[write(2), write(1)]), ["SL7.monotonic-writes"]);
    assert_eq!(all(&[read(2), write(2)]), ["SL7.writes-follow-reads"]);
}

#[test]
fn a_version_nobody_can_write_is_found() {
    let report = session::check(&Guarantee::ALL, [access(1, 1, b"k", write(0))]);
    assert_eq!(
        broken(&report),
        ["SL7.monotonic-writes", "SL7.writes-follow-reads"]
    );
    assert!(
        report
            .to_string()
            .contains("the version of a key that was never written"),
        "{report}"
    );
}

#[test]
fn sessions_and_keys_are_apart() {
    let accesses = [
        access(1, 1, b"a", write(5)),
        access(2, 2, b"a", read(0)),
        access(3, 1, b"b", read(0)),
    ];
    assert_eq!(
        session::check(&Guarantee::ALL, accesses).into_result(),
        Ok(3)
    );
}

#[test]
fn only_the_promised_guarantees_are_checked() {
    let regression = [access(1, 1, b"k", read(2)), access(2, 1, b"k", read(1))];
    assert!(session::check(&[Guarantee::ReadYourWrites], regression).is_clean());
    let report = session::check(&[Guarantee::MonotonicReads], regression);
    assert_eq!(
        report.violations[0].detail,
        "session 1: op 2 read \"k\" at 1, after op 1 had read it at 2"
    );
}

/// The definitions, over all pairs of accesses to one key by one session.
fn holds(guarantee: Guarantee, accesses: &[Access<'_>]) -> bool {
    let pairs = accesses
        .iter()
        .enumerate()
        .flat_map(|(i, a)| accesses[i + 1..].iter().map(move |b| (a, b)));
    let mut related = pairs.filter(|(a, b)| a.session == b.session && a.key == b.key);
    related.all(|(a, b)| match (guarantee, a.kind, b.kind) {
        (
            Guarantee::ReadYourWrites,
            AccessKind::Write { version: first },
            AccessKind::Read { version: second },
        )
        | (
            Guarantee::MonotonicReads,
            AccessKind::Read { version: first },
            AccessKind::Read { version: second },
        ) => first <= second,
        (
            Guarantee::MonotonicWrites,
            AccessKind::Write { version: first },
            AccessKind::Write { version: second },
        )
        | (
            Guarantee::WritesFollowReads,
            AccessKind::Read { version: first },
            AccessKind::Write { version: second },
        ) => first < second,
        _ => true,
    })
}

#[test]
fn one_pass_agrees_with_the_definitions() {
    let step = (1_u64..3, prop::bool::ANY, prop::bool::ANY, 1_u64..6);
    random(5_000, &prop::collection::vec(step, 0..8), |steps| {
        let accesses: Vec<_> = (1..)
            .zip(steps)
            .map(|(op, (session, is_first_key, is_read, version))| {
                let key: &[u8] = if is_first_key { b"a" } else { b"b" };
                access(
                    op,
                    session,
                    key,
                    if is_read {
                        read(version)
                    } else {
                        write(version)
                    },
                )
            })
            .collect();
        for guarantee in Guarantee::ALL {
            let report = session::check(&[guarantee], accesses.iter().copied());
            prop_assert_eq!(report.is_clean(), holds(guarantee, &accesses), "{}", report);
        }
        Ok(())
    });
}
