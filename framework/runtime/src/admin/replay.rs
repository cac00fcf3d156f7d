//! Writing discarded writes again, at the leader.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{ClientId, Error, ErrorKind, GroupId, Outcome, Reply, RequestId};
use serde_json::{Value, json};

use super::Desk;
use super::discards::Again;
use crate::session::{EmbeddedSession, EmbeddedWrite};

/// After this long the outcome is unknown. Sent again, the write has one effect all the same.
const PATIENCE: Duration = Duration::from_secs(4);

/// Writes them again, in order: under their own request ids, so that their clients may do the same.
/// Where a session is over, its client will never send the write again, and nobody would believe its
/// number: a new request carries it.
pub(super) async fn replay(desk: &Desk, group: GroupId, writes: &[Again]) -> Result<Value, Error> {
    let writes: Vec<(RequestId, Bytes)> =
        writes.iter().map(Again::parse).collect::<Result<_, _>>()?;
    let mut outcomes = submit(desk, group, &writes).await?;
    let is_over = |outcome: &Result<(), Error>| {
        let error = outcome.as_ref().err();
        error.is_some_and(|error| *error.kind() == ErrorKind::SessionExpired)
    };
    let over: Vec<usize> = (0..)
        .zip(&outcomes)
        .filter(|(_, it)| is_over(it))
        .map(|it| it.0)
        .collect();
    let client = new_client();
    let anew = (1..).zip(&over).filter_map(|(seq, index)| {
        let (_, body) = writes.get(*index)?;
        let id = RequestId {
            client,
            seq,
            acked_upto: 0,
        };
        Some((id, body.clone()))
    });
    let anew: Vec<_> = anew.collect();
    if !anew.is_empty() {
        let again = submit(desk, group, &anew).await?;
        for (index, outcome) in over.iter().zip(again) {
            if let Some(place) = outcomes.get_mut(*index) {
                *place = outcome;
            }
        }
    }
    let told: Vec<Value> = outcomes.iter().map(tell).collect();
    Ok(json!({"outcomes": told}))
}

fn tell(outcome: &Result<(), Error>) -> Value {
    match outcome {
        Ok(()) => json!({"done": true}),
        // Another operation under that id took effect: the client's own, in other words.
        Err(error) if *error.kind() == ErrorKind::RequestIdReuse => json!({"done": true}),
        Err(error) => json!({"done": false, "error": error.to_string()}),
    }
}

/// A session that nobody else has.
fn new_client() -> ClientId {
    let now = crate::clock::now();
    let draw = || u128::from(RandomState::new().hash_one(now.mono));
    ClientId::new(now.wall, draw() << 64 | draw())
}

async fn submit(
    desk: &Desk,
    group: GroupId,
    writes: &[(RequestId, Bytes)],
) -> Result<Vec<Result<(), Error>>, Error> {
    let (inbox, sessions) = (Arc::clone(&desk.inbox), Arc::clone(&desk.sessions));
    let session = EmbeddedSession::open(inbox, sessions, Arc::clone(&desk.credit));
    let deadline = crate::clock::now().mono.after(PATIENCE);
    let requests = writes.iter().map(|(id, body)| EmbeddedWrite {
        group,
        id: *id,
        acks: None,
        deadline,
        body: body.clone(),
    });
    let first = session.write(requests.collect())?;
    let mut replies: BTreeMap<u64, Result<(), Error>> = BTreeMap::new();
    while replies.len() < writes.len() {
        for Reply { to, outcome, .. } in session.replies().await {
            let result = match outcome {
                Outcome::Written { .. } | Outcome::Answered { .. } => Ok(()),
                Outcome::Failed(error) => Err(*error),
            };
            replies.insert(to.request, result);
        }
    }
    Ok(replies.split_off(&first).into_values().collect())
}
