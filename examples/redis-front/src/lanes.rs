//! The way from one connection to the keyspaces: submits what belongs together at once, and brings
//! the outcomes into order.

use std::sync::Arc;

use bytes::Bytes;
use repertoire::core::{
    Ack, Answer, EntryId, Error, ErrorKind, NodeId, Position, ReadLevel, ReadQuery,
};
use repertoire_client::{Completion, Completions, Keyspace, Pipeline};

use crate::front::Front;

/// What became of a write, with what it returned.
pub(crate) type Written = Result<(Ack, Bytes), Box<Error>>;

/// What became of a read, with the position it was read at.
pub(crate) type Found = Result<(Position, Answer), Box<Error>>;

/// A pipeline with its outcomes.
struct Lane {
    pipeline: Pipeline,
    completions: Completions,
    batch: Vec<Completion>,
}

impl Lane {
    fn open(keyspace: &Keyspace) -> Self {
        let (pipeline, completions) = keyspace.pipeline();
        Self {
            pipeline,
            completions,
            batch: Vec::new(),
        }
    }

    /// Waits for the outcomes of `count` requests, the first of them under the ticket `first`.
    async fn gather(&mut self, first: u64, count: usize, mut take: impl FnMut(usize, Outcome)) {
        let mut left = count as u64;
        while left > 0 {
            self.completions.next(&mut self.batch).await;
            for completion in self.batch.drain(..) {
                left = left.saturating_sub(completion.count());
                let mut put = |ticket: u64, outcome| {
                    if let Ok(index) = usize::try_from(ticket.wrapping_sub(first)) {
                        take(index, outcome);
                    }
                };
                match completion {
                    Completion::Written { first, count, ack } => {
                        for i in 0..count {
                            put(first + i, Outcome::Written(later(ack, i), Bytes::new()));
                        }
                    }
                    Completion::Returned {
                        ticket,
                        ack,
                        result,
                    } => put(ticket, Outcome::Written(ack, result)),
                    Completion::Answered {
                        ticket,
                        position,
                        answer,
                    } => put(ticket, Outcome::Found(position, answer)),
                    Completion::Failed {
                        first,
                        count,
                        error,
                    } => {
                        for i in 0..count {
                            put(first + i, Outcome::Failed(error.clone()));
                        }
                    }
                }
            }
        }
    }
}

enum Outcome {
    Written(Ack, Bytes),
    Found(Position, Answer),
    Failed(Box<Error>),
}

/// The acknowledgement of the write that stands `by` records later.
fn later(ack: Ack, by: u64) -> Ack {
    let position = EntryId::new(ack.position.epoch, ack.position.lsn.plus(by));
    Ack { position, ..ack }
}

/// A lane whose reads go to a follower, and what that follower must have seen.
struct FollowerLane {
    node: NodeId,
    seen: EntryId,
    lane: Lane,
}

/// The lanes of one database.
#[derive(Default)]
struct Pair {
    leader: Option<Lane>,
    follower: Option<FollowerLane>,
}

/// The lanes of one connection.
pub(crate) struct Lanes {
    front: Arc<Front>,
    databases: Vec<Pair>,
}

impl Lanes {
    pub(crate) fn new(front: Arc<Front>) -> Self {
        let databases = (0..front.databases()).map(|_| Pair::default()).collect();
        Self { front, databases }
    }

    /// Does writes in this order. There is one outcome for each.
    pub(crate) async fn write(&mut self, database: usize, operations: Vec<Bytes>) -> Vec<Written> {
        let count = operations.len();
        let Some(lane) = self.leader(database) else {
            return vec![Err(lost()); count];
        };
        let first = match lane.pipeline.submit(operations).await {
            Ok(first) => first,
            Err(error) => return vec![Err(Box::new(error)); count],
        };
        let mut written: Vec<Written> = Vec::with_capacity(count);
        written.resize_with(count, || Err(lost()));
        lane.gather(first, count, |index, outcome| {
            if let Some(place) = written.get_mut(index) {
                *place = match outcome {
                    Outcome::Written(ack, result) => Ok((ack, result)),
                    Outcome::Found(..) => Err(lost()),
                    Outcome::Failed(error) => Err(error),
                };
            }
        })
        .await;
        written
    }

    /// Answers reads, which are concurrent: at the leader, or at a follower that has seen a position.
    pub(crate) async fn read(
        &mut self,
        database: usize,
        queries: Vec<ReadQuery>,
        follower: Option<(NodeId, EntryId)>,
    ) -> Vec<Found> {
        let count = queries.len();
        let lane = match follower {
            None => self.leader(database),
            Some((node, seen)) => self.follower(database, node, seen),
        };
        let Some(lane) = lane else {
            return vec![Err(lost()); count];
        };
        let first = match lane.pipeline.submit_reads(queries).await {
            Ok(first) => first,
            Err(error) => return vec![Err(Box::new(error)); count],
        };
        let mut found: Vec<Found> = Vec::with_capacity(count);
        found.resize_with(count, || Err(lost()));
        lane.gather(first, count, |index, outcome| {
            if let Some(place) = found.get_mut(index) {
                *place = match outcome {
                    Outcome::Found(position, answer) => Ok((position, answer)),
                    Outcome::Written(..) => Err(lost()),
                    Outcome::Failed(error) => Err(error),
                };
            }
        })
        .await;
        found
    }

    fn leader(&mut self, database: usize) -> Option<&mut Lane> {
        let keyspace = self.front.keyspace(database)?;
        let lanes = self.databases.get_mut(database)?;
        Some(lanes.leader.get_or_insert_with(|| Lane::open(keyspace)))
    }

    fn follower(&mut self, database: usize, node: NodeId, seen: EntryId) -> Option<&mut Lane> {
        let keyspace = self.front.keyspace(database)?;
        let lanes = self.databases.get_mut(database)?;
        let fits = |lane: &FollowerLane| lane.node == node && lane.seen == seen;
        if !lanes.follower.as_ref().is_some_and(fits) {
            let level = ReadLevel::Session(Position::Entry(seen));
            let lane = Lane::open(&keyspace.level(level).at(node));
            lanes.follower = Some(FollowerLane { node, seen, lane });
        }
        lanes.follower.as_mut().map(|follower| &mut follower.lane)
    }
}

/// An outcome that never came: the client answers every ticket, so this is a bug.
fn lost() -> Box<Error> {
    Box::new(Error::new(ErrorKind::Unexpected, "gather outcomes"))
}
