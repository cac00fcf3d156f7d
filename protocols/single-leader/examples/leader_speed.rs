//! What an entry costs at the leader, without log, network and engine: placing it, sending it to two
//! followers, counting their acknowledgements, making it visible. Run it with `--release`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement reads a clock, prints, and stops when something is wrong"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use repertoire_core::{
    Acks, Applied, Boot, Descriptor, Durability, Effects, FormatTag, GroupId, Incarnation, Input,
    InstanceGen, KeyspaceId, Lsn, NodeId, Now, Proposal, ProposalId, Protocol, RecoveredGroup,
    Wall,
};
use repertoire_single_leader::{Ack, Message, SingleLeader, Standing};

const ENTRIES: u64 = 1_000_000;

fn main() {
    for batch in [1_u64, 4, 16] {
        println!("{batch} entries a flush: {:.0} ns each", measure(batch));
    }
}

fn boot(fx: &mut Effects<Message>) -> SingleLeader {
    let nodes = [1, 2, 3].map(NodeId);
    let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "shop", "single-leader", &nodes);
    descriptor.options.durability = Durability::Memory;
    let boot = Boot {
        group: GroupId::new(1, 0),
        descriptor: Arc::new(descriptor),
        me: NodeId(1),
        incarnation: Incarnation(1),
        instance: InstanceGen(1),
        now: Now::default(),
        seed: 1,
        log: &RecoveredGroup::default(),
        tail: Vec::new(),
        discards: Vec::new(),
        applied: &Applied::default(),
    };
    SingleLeader::boot(boot, fx).expect("a fresh replica boots")
}

/// Everything that was sent to a follower comes back as one acknowledgement per follower.
fn acknowledge(leader: &mut SingleLeader, last: u64, fx: &mut Effects<Message>) {
    let round = fx
        .sends
        .drain(..)
        .fold(0, |round, (_, message)| match message {
            Message::Append(append) => append.round.max(round),
            _ => round,
        });
    for node in [2, 3] {
        let ack = Ack {
            standing: Standing {
                epoch: repertoire_core::LeaderEpoch(1),
                boot: node,
                round,
            },
            durable: Lsn(last),
            received: Lsn(last),
            applied: Lsn(last),
            window: None,
        };
        let (from, message) = (NodeId(node), Message::Ack(ack));
        leader.step(Now::default(), Input::Message { from, message }, fx);
    }
}

fn measure(batch: u64) -> f64 {
    let mut fx = Effects::default();
    let mut leader = boot(&mut fx);
    leader.step(Now::default(), Input::Durable(fx.last_log_seq()), &mut fx);
    leader.flush(Now::default(), &mut fx);
    acknowledge(&mut leader, 1, &mut fx);
    leader.flush(Now::default(), &mut fx);
    fx.discard();
    let body = Bytes::from(vec![0; 1000]);
    let mut proposals = Vec::new();
    let start = Instant::now();
    let (mut last, mut acked) = (1, 0);
    for flush in 0..ENTRIES / batch {
        proposals.extend((0..batch).map(|index| Proposal {
            id: ProposalId(flush * batch + index + 1),
            count: 1,
            acks: Acks::Majority,
            format: FormatTag(1),
            wall: Wall(1),
            body: body.clone(),
        }));
        last += batch;
        leader.step(Now::default(), Input::Propose(&mut proposals), &mut fx);
        leader.flush(Now::default(), &mut fx);
        acknowledge(&mut leader, last, &mut fx);
        leader.flush(Now::default(), &mut fx);
        let applied = Lsn(last);
        leader.step(Now::default(), Input::Applied(applied), &mut fx);
        acked += fx.fates.len();
        fx.fates.clear();
        fx.log.clear();
        fx.apply.clear();
        fx.timers.clear();
        fx.admission = None;
    }
    let spent = start.elapsed();
    assert!(acked > 0, "entries were acknowledged");
    assert_eq!(leader.inspect().applied_lsn, Lsn(last));
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a short run")]
    let nanoseconds = spent.as_nanos() as f64 / ENTRIES as f64;
    nanoseconds
}
