//! A request that is sent twice happens once.

use repertoire::core::{
    ClientId, ErrorKind, GroupId, Mono, NodeId, Operation, Outcome, RequestId, ShardId,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire_sim::Rng;

use super::Demo;
use super::stage::Stage;
use crate::failure::Failure;

/// The keyspace in which money moves.
const LEDGER: &str = "ledger";

/// Plays it: the leader is asked directly, because the client would never send an id twice unless
/// it had to.
pub(crate) async fn play(demo: &mut Demo, stage: &mut Stage) -> Result<(), Failure> {
    let mut scenes = demo.scenes.iter_mut();
    let scene = scenes.find(|scene| scene.part.name == LEDGER);
    let scene = scene.ok_or_else(|| Failure::failed("there is no ledger"))?;
    let group = GroupId {
        keyspace: scene.keyspace.descriptor().id,
        shard: ShardId(0),
    };
    let leader = scene.part.holders().next().unwrap_or(NodeId(1));
    let session = demo.cluster.node(leader)?.handle().session();
    scene.extra += 1;

    let (mine, other) = (fresh_id(demo.seed), fresh_id(demo.seed + 1));
    let first = ask(&session, group, mine, b"40").await?;
    let again = ask(&session, group, mine, b"40").await?;
    let is_same = matches!(
        (&first, &again),
        (Outcome::Written { ack: a, .. }, Outcome::Written { ack: b, .. })
            if a.position == b.position
    );
    let told = match (&first, &again) {
        (Outcome::Written { ack, .. }, _) if is_same => format!(
            "The same request twice: one transfer, both told it stands at {}",
            ack.position
        ),
        _ => format!("The same request twice: {first:?}, then {again:?}"),
    };
    stage.check("exactly_once", is_same, told);

    let reused = ask(&session, group, mine, b"50").await?;
    let is_refused = has_failed(&reused, &ErrorKind::RequestIdReuse);
    let told = "Its id with another amount: refused";
    stage.check("id_reuse_refused", is_refused, told);

    let naive = ask(&session, group, other, b"40").await?;
    let is_conflict = has_failed(&naive, &ErrorKind::Conflict);
    let told = "The same transfer under a new id: refused, the money has moved already";
    stage.check("second_transfer_refused", is_conflict, told);
    Ok(())
}

fn has_failed(outcome: &Outcome, kind: &ErrorKind) -> bool {
    matches!(outcome, Outcome::Failed(error) if error.kind() == kind)
}

fn fresh_id(seed: u64) -> RequestId {
    let wall = clock::now().wall;
    let random = Rng::new(seed ^ wall.0).next_u64();
    let client = ClientId::new(wall, random.into());
    RequestId {
        client,
        seq: 1,
        acked_upto: 0,
    }
}

/// Moves money, if it was not moved before.
async fn ask(
    session: &EmbeddedSession,
    group: GroupId,
    id: RequestId,
    amount: &[u8],
) -> Result<Outcome, Failure> {
    let key = b"transfer-1";
    let body = Operation::CompareAndSet {
        key,
        expected: None,
        new: Some(amount),
    }
    .encode();
    let (acks, deadline) = (None, Mono::NEVER);
    session.write(vec![EmbeddedWrite {
        group,
        id,
        acks,
        deadline,
        body,
    }])?;
    let outcome = session.replies().await.pop().map(|reply| reply.outcome);
    outcome.ok_or_else(|| Failure::failed("the leader did not answer"))
}
