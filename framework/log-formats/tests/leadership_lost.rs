//! A write whose evaluation has read, and which is not sealed when its replica stops ordering writes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use repertoire_core::{
    ClientId, DedupTable, Error, ErrorKind, GroupId, KeyspaceId, KeyspaceOptions, Mono, NodeId,
    Now, Operation, Outcome, Pipeline, Registry, ReplyHandle, RequestId, ShardId, Wall,
    WriteRequest,
};
use repertoire_log_formats::Row;

fn swap(seq: u64) -> WriteRequest {
    let operation = Operation::CompareAndSet {
        key: b"counter",
        expected: None,
        new: Some(b"1"),
    };
    WriteRequest {
        id: RequestId {
            client: ClientId::new(Wall(1), 7),
            seq,
            acked_upto: 0,
        },
        reply_to: ReplyHandle {
            session: 1,
            request: seq,
        },
        acks: None,
        deadline: Mono::NEVER,
        body: operation.encode(),
    }
}

/// Should the replica lead again, it does so after entries that the evaluation has not seen: placed
/// then, it would undo them. So it ends, and so does what waited for its keys.
#[test]
fn it_is_refused_and_never_placed() {
    let group = GroupId {
        keyspace: KeyspaceId(1),
        shard: ShardId(0),
    };
    let (registry, format) = (Arc::new(Registry::default()), Arc::new(Row::default()));
    let mut pipeline = Pipeline::new(group, KeyspaceOptions::default(), registry, format);
    let (now, dedup) = (Now::default(), DedupTable::default());
    pipeline.submit(now, swap(1), &dedup);
    pipeline.submit(now, swap(2), &dedup);
    let fetches = pipeline.take_fetches();
    assert_eq!(fetches.len(), 1, "the second one waits for the key");

    pipeline.stood_down(&Error::not_leader(Some(NodeId(2)), "write"));
    let mut replies = Vec::new();
    pipeline.take_replies(&mut replies);
    let is_refused = |outcome: &Outcome| {
        let Outcome::Failed(error) = outcome else {
            return false;
        };
        let hint = Some(NodeId(2));
        *error.kind() == ErrorKind::NotLeader { hint }
    };
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(|reply| is_refused(&reply.outcome)));

    // The engine's answer comes after the replica leads again.
    for fetch in fetches {
        pipeline.fetched(now, fetch.ticket, vec![None], &dedup);
    }
    assert!(pipeline.seal().is_empty());
    assert_eq!(pipeline.in_flight(), 0);
    pipeline.submit(now, swap(3), &dedup);
    assert_eq!(pipeline.take_fetches().len(), 1, "nothing holds the key");
}
