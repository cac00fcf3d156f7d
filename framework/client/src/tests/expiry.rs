//! Descriptors that change, and clients that end.

use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{ConfigEpoch, Descriptor, ErrorKind, KeyspaceId, NodeId, WriteOutcome};
use repertoire_wire::client::{AdminReply, AdminVerb};
use tokio::spawn;

use super::fake::{Cluster, error};
use crate::link::Parcel;

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_stale_descriptor_is_fetched_and_the_write_sent_again() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    assert_eq!(writes.config_epoch, ConfigEpoch(1));
    let kind = ErrorKind::StaleDescriptor {
        have: ConfigEpoch(1),
        need: ConfigEpoch(4),
    };
    link.failed(&writes, error(kind));
    let mut is_resolved = false;
    let mut is_written = false;
    while !(is_resolved && is_written) {
        match link.parcel().await {
            Parcel::Admin(request) => {
                assert!(matches!(request.verb, AdminVerb::Resolve { .. }));
                let mut newer =
                    Descriptor::single_shard(KeyspaceId(7), "ks", "single-leader", &[NodeId(1)]);
                newer.config_epoch = ConfigEpoch(4);
                let json = Bytes::from(serde_json::to_vec(&newer).unwrap());
                link.admin(AdminReply {
                    request: request.request,
                    result: Ok(json),
                });
                is_resolved = true;
            }
            Parcel::Writes(writes) => {
                assert_eq!(writes.config_epoch, ConfigEpoch(4));
                link.done(&writes);
                is_written = true;
            }
            Parcel::Reads(reads) => panic!("{reads:?}"),
        }
    }
    put.await.unwrap().unwrap();
    assert_eq!(keyspace.shards().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_ends_at_its_deadline() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let client = keyspace.client().clone();
    let status = spawn(async move { client.status(NodeId(2)).await });
    let mut link = cluster.link().await;
    assert_eq!(link.node, NodeId(2));
    assert!(matches!(link.parcel().await, Parcel::Admin(_)));
    let error = status.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn when_the_last_handle_goes_the_tasks_end() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let (pipeline, completions) = keyspace.pipeline();
    pipeline.submit(vec![super::fake::body(4)]).await.unwrap();
    let mut link = cluster.link().await;
    link.writes().await;
    drop((keyspace, pipeline, completions));
    // The client's side of the connection goes with its task.
    link.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_write_under_way_when_its_caller_gives_up_harms_nobody() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let put = spawn({
        let keyspace = keyspace.clone();
        async move { keyspace.put("k", "v").await }
    });
    let mut link = cluster.link().await;
    let writes = link.writes().await;
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    link.done(&writes);
    let put = spawn(async move { keyspace.put("k", "w").await });
    let writes = link.writes().await;
    assert_eq!((writes.first_seq, writes.acked_upto), (2, 1));
    let failed = error(ErrorKind::Poisoned).with_outcome(WriteOutcome::Unknown);
    link.failed(&writes, failed);
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), WriteOutcome::Unknown);
}
