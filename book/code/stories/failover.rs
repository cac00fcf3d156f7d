//! Leaders that die, and who comes after them.

use repertoire_core::{Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

/// Long enough for a follower to miss its leader, to ask for votes and to lead.
const ELECTION: u64 = 62_000;

// ANCHOR: electing
/// Replicas that elect, and miss a leader soon: a tenth of the usual times.
fn electing() -> Result<Stage, Error> {
    Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.plugin_options = r#"{"single-leader": {
            "failover": "elect", "election_timeout_ms": 30, "heartbeat_interval_ms": 10
        }}"#
        .to_owned();
    })
}
// ANCHOR_END: electing

// ANCHOR: elected
pub(super) fn elected() -> Result<Played, Error> {
    let mut stage = electing()?;
    // Everybody hears the leader's heartbeat.
    stage.run_for(4_600)?;
    // Node 3 does not get the write; node 2 does, and the client hears "ok".
    stage.cut(1, 3);
    let kept = stage.put(1, "x", "1", None);
    stage.run_for(3_000)?;
    stage.kill(1);
    stage.heal();
    stage.run_for(ELECTION)?;
    let leader = stage.leader().unwrap_or(2);
    let read = stage.get(leader, "x", ReadLevel::Leader);
    stage.run_for(3_000)?;
    let seen = vec![
        heard(&stage, "the write", kept),
        stage.status(2),
        stage.status(3),
        heard(&stage, "x is", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: elected
