//! A worker that was away for too long, and the fence that keeps it out.

use repertoire_core::{
    Acks, Error, FencedResource, FencingToken, GroupId, Operation, Position, ReadLevel,
};
use repertoire_stage::{Stage, Times};

/// The keyspace of the lock.
const LOCKS: GroupId = GroupId::new(1, 0);
/// Long enough for any request here.
const WHILE: u64 = 3_000;

/// What became of it.
#[derive(Debug)]
pub struct Worker {
    /// What the resource holds in the end.
    pub written: Vec<&'static str>,
    /// What the worker of the past was told.
    pub late: Result<(), Error>,
}

// ANCHOR: story
/// Two workers take a lock, each at another leader: the first leadership is lost, with the lock in it. The
/// first worker knows nothing of that and goes on. What both write to is outside the cluster.
///
/// # Errors
/// Those of the replicas.
pub fn late_worker() -> Result<Worker, Error> {
    let mut stage = Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.options.acks = Acks::Async;
    })?;
    let mut file = FencedResource::new(Vec::new());

    stage.cut(1, 2);
    stage.cut(1, 3);
    let first = lock(&mut stage, 1, b"first")?;
    file.admit(first)?.push("by the first worker");
    stage.kill(1);
    stage.appoint(2);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(WHILE)?;
    let is_free = stage.get(2, "lock", ReadLevel::Leader);
    stage.run_for(WHILE)?;
    assert_eq!(
        stage.heard(is_free),
        Some("(no value)"),
        "nobody has heard of the lock"
    );
    let second = lock(&mut stage, 2, b"second")?;
    file.admit(second)?.push("by the second worker");

    // The first worker wakes.
    let late = file
        .admit(first)
        .map(|file| file.push("by the first worker, too late"));
    Ok(Worker {
        late,
        written: file.get().clone(),
    })
}
// ANCHOR_END: story

/// Takes the lock for `owner`: the token of the write that took it.
fn lock(stage: &mut Stage, leader: u64, owner: &[u8]) -> Result<FencingToken, Error> {
    let take = Operation::CompareAndSet {
        key: b"lock",
        expected: None,
        new: Some(owner),
    };
    let write = stage.client_write(leader, &take, "take the lock");
    stage.run_for(WHILE)?;
    let Some(Position::Entry(at)) = stage.position(write) else {
        let heard = stage.heard(write).unwrap_or("nothing").to_owned();
        let kind = repertoire_core::ErrorKind::Conflict;
        return Err(Error::new(kind, "take the lock").with("heard", heard));
    };
    Ok(FencingToken::new(LOCKS, *at))
}
