//! Session guarantees (SL7): a session read is answered from a state that holds everything its
//! client had seen when it asked; clients that do one thing at a time are judged by the checker.

use repertoire_checker::session::{self, Access, AccessKind, Guarantee};
use repertoire_checker::{OpId, SessionId};

use crate::client::{Ask, Client, Ending, Level, Op};
use crate::invariants::Findings;
use crate::invariants::state_machine::Canon;
use crate::watch::KeyId;

/// Judges a session read when it is answered.
pub(crate) fn judge_read(op: &Op, findings: &mut Findings) {
    let level = Level::Session;
    if matches!(op.ask, Ask::Get { level: asked, .. } if asked == level) {
        let (need, have) = (op.token.lsn, op.position.lsn);
        findings.require(have >= need, "SL7.session", || {
            format!(
                "{:?} of client {} needs {need}, was read at {have}",
                op.ask, op.client
            )
        });
    }
}

/// Judges the clients of one keyspace that wait for each answer, at the end of a run.
pub(crate) fn judge(
    group: usize,
    ops: &[Op],
    clients: &[Client],
    canon: &Canon,
    findings: &mut Findings,
) {
    let waits = |op: &&(usize, &Op)| clients[op.1.client].plan.depth == 1;
    let counts = |op: &&(usize, &Op)| op.1.group == group && op.1.ending == Ending::Done;
    let all: Vec<(usize, &Op)> = ops.iter().enumerate().collect();
    let mut keys: Vec<(usize, &Op, KeyId, AccessKind)> = Vec::new();
    for (number, op) in all.iter().filter(counts).filter(waits) {
        let version = op.position.lsn.0;
        let access = match op.ask {
            Ask::Put { key, .. } | Ask::Delete { key, .. } | Ask::Add { key, .. } => {
                (key, AccessKind::Write { version })
            }
            Ask::Get {
                key,
                level: Level::Session | Level::Leader,
            } => {
                let version = canon.at(key, version).map_or(0, |version| version.lsn);
                (key, AccessKind::Read { version })
            }
            Ask::Get { .. } | Ask::Swap { .. } | Ask::Batch { .. } | Ask::Digest => continue,
        };
        keys.push((*number, op, access.0, access.1));
    }
    let bytes: Vec<[u8; 3]> = keys.iter().map(|access| access.2.bytes()).collect();
    let accesses = keys
        .iter()
        .zip(&bytes)
        .map(|((number, op, _, kind), key)| Access {
            op: OpId(*number as u64),
            session: SessionId(op.client as u64),
            key,
            kind: *kind,
        });
    findings.absorb(session::check(&Guarantee::ALL, accesses));
}
