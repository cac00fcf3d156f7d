//! Sessions: what they ask for, and where they turn when a replica does not serve.

use std::time::Duration;

use repertoire_core::{
    Answer, EntryId, Error, ErrorKind, GroupId, LeaderEpoch, Lsn, NodeId, Position, ReadLevel,
};
use repertoire_wire::client::ReplyItem;
use tokio::spawn;

use super::fake::{Cluster, FakeLink, ack};
use crate::guarantees::{ReadPolicy, SessionKeyspace, preferred};
use crate::link::{Parcel, ReadParcel};

const DEADLINE: Duration = Duration::from_secs(5);
const GROUP: GroupId = GroupId::new(7, 0);

async fn reads(link: &mut FakeLink) -> ReadParcel {
    match link.parcel().await {
        Parcel::Reads(reads) => reads,
        other @ (Parcel::Writes(_) | Parcel::Admin(_)) => panic!("no reads: {other:?}"),
    }
}

fn entry(epoch: u64, lsn: u64) -> EntryId {
    EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
}

fn answer(link: &FakeLink, reads: &ReadParcel, at: EntryId) {
    link.answer(ReplyItem::Answered {
        request: reads.first_request,
        position: Position::Entry(at),
        answer: Answer::Value(None),
    });
}

fn fail(link: &FakeLink, reads: &ReadParcel, kind: ErrorKind) {
    let (first, count) = (reads.first_request, 1);
    let error = Box::new(Error::new(kind, "read"));
    link.answer(ReplyItem::Failed {
        first,
        count,
        error,
    });
}

/// A session whose user is served by `node`, and a cluster of tests.
fn session(node: u64, policy: ReadPolicy) -> (SessionKeyspace, Cluster) {
    let (keyspace, cluster) = Cluster::start(DEADLINE);
    let all = || [1, 2, 3].map(NodeId).to_vec();
    let is_served = |user: &u32| preferred(&user.to_le_bytes(), all())[0] == NodeId(node);
    let user = (0..).find(is_served).unwrap();
    let session = keyspace
        .client()
        .session(user.to_le_bytes())
        .reading(policy);
    (SessionKeyspace::new(session, keyspace), cluster)
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_behind_is_passed_over_for_the_leader() {
    let (keyspace, mut cluster) = session(3, ReadPolicy::Sticky);
    let put = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut one = cluster.link().await;
    let writes = one.writes().await;
    one.done(&writes);
    let written = put.await.unwrap().unwrap().ack.position;

    let get = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.get("k").await }
    });
    let mut three = cluster.link().await;
    assert_eq!(three.node, NodeId(3));
    let asked = reads(&mut three).await;
    let need = ReadLevel::Session(Position::Entry(written));
    assert_eq!(asked.level, need);
    // It says nothing in time: the leader is asked for the same.
    let asked = reads(&mut one).await;
    assert_eq!(asked.level, need);
    answer(&one, &asked, entry(1, 9));
    get.await.unwrap().unwrap();

    // Reads never go back behind that, and leave the slow one alone for a while: another has its turn.
    let get = spawn(async move { keyspace.get("k").await });
    let seen = ReadLevel::Session(Position::Entry(entry(1, 9)));
    tokio::select! {
        asked = reads(&mut one) => {
            assert_eq!(asked.level, seen);
            answer(&one, &asked, entry(1, 9));
        }
        mut two = cluster.link() => {
            let asked = reads(&mut two).await;
            assert_eq!((two.node, &asked.level), (NodeId(2), &seen));
            answer(&two, &asked, entry(1, 9));
            get.await.unwrap().unwrap();
            return;
        }
    }
    get.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_discarded_write_is_told_until_the_loss_is_accepted() {
    let (keyspace, mut cluster) = session(1, ReadPolicy::Sticky);
    keyspace.session().wrote(GROUP, entry(2, 12));
    let mut one = None;
    for _ in 0..2 {
        let get = spawn({
            let keyspace = keyspace.clone();
            async move { keyspace.get("k").await }
        });
        let mut link = match one.take() {
            Some(link) => link,
            None => cluster.link().await,
        };
        let asked = reads(&mut link).await;
        let need = Position::Entry(entry(2, 12));
        assert_eq!(asked.level, ReadLevel::Session(need.clone()));
        fail(&link, &asked, ErrorKind::Discarded { need });
        let error = get.await.unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Discarded { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("discarded"), "{error}");
        one = Some(link);
        let other = Error::new(ErrorKind::Timeout, "read");
        assert!(!keyspace.accept_loss(&other), "only a loss is accepted");
    }
    let need = Position::Entry(entry(2, 12));
    let gone = Error::new(ErrorKind::Discarded { need }, "read");
    assert!(keyspace.accept_loss(&gone));
    assert!(!keyspace.accept_loss(&gone), "it is forgotten already");
    let get = spawn(async move { keyspace.get("k").await });
    let mut one = one.unwrap();
    let asked = reads(&mut one).await;
    assert_eq!(asked.level, ReadLevel::Local);
    answer(&one, &asked, entry(3, 5));
    assert_eq!(get.await.unwrap().unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_must_show_what_the_old_one_acknowledged() {
    let (keyspace, mut cluster) = session(1, ReadPolicy::Leader);
    keyspace.session().wrote(GROUP, ack(12).position);
    let get = spawn(async move { keyspace.get("k").await });
    let mut one = cluster.link().await;
    let asked = reads(&mut one).await;
    assert_eq!(asked.level, ReadLevel::Leader);
    answer(&one, &asked, entry(2, 20));
    // The answer alone does not say whether the older write survived.
    let asked = reads(&mut one).await;
    let both = Position::Entries(vec![entry(1, 12), entry(2, 20)]);
    assert_eq!(asked.level, ReadLevel::Session(both));
    let need = Position::Entry(entry(1, 12));
    fail(&one, &asked, ErrorKind::Discarded { need });
    let error = get.await.unwrap().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Discarded { .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn recent_writes_are_read_at_the_leader() {
    let recent = Duration::from_secs(60);
    let (keyspace, mut cluster) = session(2, ReadPolicy::LeaderAfterWrite(recent));
    keyspace.session().wrote(GROUP, ack(12).position);
    tokio::time::advance(recent - Duration::from_millis(1)).await;
    let get = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.get("k").await }
    });
    let mut one = cluster.link().await;
    let asked = reads(&mut one).await;
    assert_eq!(
        (one.node, asked.level.clone()),
        (NodeId(1), ReadLevel::Leader)
    );
    answer(&one, &asked, ack(12).position);
    get.await.unwrap().unwrap();
    tokio::time::advance(Duration::from_millis(2)).await;
    let get = spawn(async move { keyspace.get("k").await });
    let mut two = cluster.link().await;
    let asked = reads(&mut two).await;
    assert_eq!(two.node, NodeId(2));
    answer(&two, &asked, ack(12).position);
    get.await.unwrap().unwrap();
}
