//! A traced request leaves one trace, on whatever nodes it passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use repertoire::LocalCluster;
use repertoire::core::{Acks, NodeId, Operation, ReadLevel, TRACE_TARGET, TraceContext};
use repertoire_client::{Client, Keyspace};
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// A span that has ended: its fields, and its name under `name`.
type Ended = BTreeMap<String, String>;

/// What is open, and what has ended.
#[derive(Default)]
struct Spans {
    open: BTreeMap<u64, Ended>,
    ended: Vec<Ended>,
}

/// Spans of all threads of this process.
#[derive(Default)]
struct Collector {
    spans: Mutex<Spans>,
    changed: Notify,
}

struct Collecting(&'static Collector);

struct Fields<'a>(&'a mut Ended);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S: Subscriber> Layer<S> for Collecting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.target() != TRACE_TARGET {
            return;
        }
        assert_eq!(*metadata.level(), Level::DEBUG);
        let mut span = Ended::from([("name".to_owned(), metadata.name().to_owned())]);
        attributes.record(&mut Fields(&mut span));
        self.0.spans.lock().open.insert(id.into_u64(), span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(span) = self.0.spans.lock().open.get_mut(&id.into_u64()) {
            values.record(&mut Fields(span));
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut spans = self.0.spans.lock();
        if let Some(span) = spans.open.remove(&id.into_u64()) {
            spans.ended.push(span);
            drop(spans);
            self.0.changed.notify_waiters();
        }
    }
}

/// The collector of this process, switched on for the nodes' threads, too.
static COLLECTOR: LazyLock<&Collector> = LazyLock::new(|| {
    let collector: &Collector = Box::leak(Box::default());
    let subscriber = tracing_subscriber::registry().with(Collecting(collector));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    collector
});

/// The spans of a trace, in the order of their ends, once all of them have ended.
async fn whole(trace_id: u128) -> Vec<Ended> {
    let trace_id = format!("{trace_id:032x}");
    let fits = |span: &&Ended| span.get("trace_id") == Some(&trace_id);
    let ended = async {
        loop {
            let mut changed = std::pin::pin!(COLLECTOR.changed.notified());
            changed.as_mut().enable();
            {
                let spans = COLLECTOR.spans.lock();
                if !spans.open.values().any(|span| fits(&span)) {
                    return spans.ended.iter().filter(fits).cloned().collect();
                }
            }
            changed.await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    ended.expect("every span ends")
}

/// A context that nobody else in this process uses.
fn cause(trace_id: u128) -> TraceContext {
    TraceContext::sampled(trace_id, 0xca05e).unwrap()
}

fn named<'a>(trace: &'a [Ended], name: &str) -> Vec<&'a Ended> {
    trace.iter().filter(|span| span["name"] == name).collect()
}

/// The keyspace as a client sees it that begins at node 2, once all nodes follow.
async fn settled(cluster: &LocalCluster, client: &Client) -> Keyspace {
    let leader = support::embedded(cluster, 1).await;
    let data = leader.keyspace("data").await.unwrap();
    data.acks(Acks::Sync).put("begin", "1").await.unwrap();
    client.keyspace("data").await.unwrap().acks(Acks::Sync)
}

/// A write through a follower: the client, the follower that names the leader, the leader, and the
/// followers that log it.
async fn one_trace(client: &Client, cluster: &LocalCluster, trace_id: u128) {
    let data = settled(cluster, client).await;
    let written = data.caused_by(cause(trace_id)).put("key", "value").await;
    assert_eq!(written.unwrap().ack.copies, 3);
    let trace = whole(trace_id).await;
    let [root] = named(&trace, "client")[..] else {
        panic!("{trace:#?}")
    };
    assert_eq!(root["parent_id"], "00000000000ca05e");
    assert_eq!((&*root["kind"], &*root["keyspace"]), ("write", "data"));
    assert_eq!(root["outcome"], "done");
    let requests = named(&trace, "request");
    let path: Vec<_> = requests
        .iter()
        .map(|r| (&*r["node"], &*r["outcome"]))
        .collect();
    assert_eq!(path, [("2", "RPT-0001"), ("1", "written")], "{trace:#?}");
    for request in &requests {
        assert_eq!(request["parent_id"], root["span_id"]);
        assert_eq!((&*request["kind"], &*request["seq"]), ("write", "1"));
        assert_eq!(request["client"], requests[0]["client"]);
    }
    let mut appends = named(&trace, "append");
    appends.sort_by_key(|append| &append["node"]);
    let nodes: Vec<_> = appends.iter().map(|append| &*append["node"]).collect();
    assert_eq!(nodes, ["2", "3"], "{trace:#?}");
    for append in appends {
        assert_eq!(append["parent_id"], requests[1]["span_id"]);
        assert_eq!((&*append["from"], &*append["outcome"]), ("1", "durable"));
    }
    assert_eq!(trace.len(), 5, "{trace:#?}");
    let mut names: Vec<_> = trace.iter().map(|span| &span["span_id"]).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_a_follower_is_one_trace() {
    let _on = &*COLLECTOR;
    let cluster = support::cluster().await;
    let embedded = support::embedded(&cluster, 2).await;
    one_trace(&embedded, &cluster, 0xe3b).await;
    let remote = support::remote(&cluster, 2).await;
    one_trace(&remote, &cluster, 0x9e307e).await;
    drop((embedded, remote));
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_pipelines_are_traced_too() {
    let _on = &*COLLECTOR;
    let cluster = support::cluster().await;
    let remote = support::remote(&cluster, 1).await;
    let data = settled(&cluster, &remote).await;

    let local = data.level(ReadLevel::Local).at(NodeId(3));
    local.caused_by(cause(0x4ead)).get("begin").await.unwrap();
    let trace = whole(0x4ead).await;
    let [request] = named(&trace, "request")[..] else {
        panic!("{trace:#?}")
    };
    let fields = (&*request["node"], &*request["kind"], &*request["outcome"]);
    assert_eq!(fields, ("3", "read", "answered"));

    let (pipeline, mut completions) = data.caused_by(cause(0xf10)).pipeline();
    let put = Operation::Put {
        key: b"k",
        value: b"v",
        expires_at: None,
    };
    pipeline.submit(vec![put.encode(); 10]).await.unwrap();
    let (mut done, mut batch) = (0, Vec::new());
    while done < 10 {
        completions.next(&mut batch).await;
        done += batch.drain(..).map(|c| c.count()).sum::<u64>();
    }
    let trace = whole(0xf10).await;
    assert_eq!(named(&trace, "client")[0]["count"], "10");
    let written = |request: &&Ended| request["outcome"] == "written";
    assert_eq!(
        named(&trace, "request").into_iter().filter(written).count(),
        10
    );

    // Who asks decides: what it does not record, nobody does.
    let unsampled = TraceContext::new(0x0ff, 1, 0).unwrap();
    data.caused_by(unsampled).put("off", "1").await.unwrap();
    assert_eq!(whole(0x0ff).await, []);
    drop((pipeline, completions, remote));
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_after_more_traces_than_its_credit_holds() {
    let _on = &*COLLECTOR;
    let mut options = repertoire::LocalOptions::new("credit");
    options.nodes = 1;
    // What the traces of a hundred requests take, above what their requests give back.
    options.quic.session_credit = 3000;
    let nodes = [NodeId(1)];
    let id = repertoire::core::KeyspaceId(1);
    let data = repertoire::core::Descriptor::single_shard(id, "one", "standalone", &nodes);
    let cluster = LocalCluster::start(options, vec![data]).await.unwrap();
    let client = support::remote(&cluster, 1).await;
    let one = client.keyspace("one").await.unwrap();
    let one = one.acks(Acks::Async).caused_by(cause(0x10e));
    for _ in 0..200 {
        one.put("key", "").await.unwrap();
    }
    assert_eq!(whole(0x10e).await.len(), 400);
    drop((one, client));
    cluster.stop().await.unwrap();
}
