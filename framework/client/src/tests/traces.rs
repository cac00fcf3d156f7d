//! What of a trace reaches the nodes, and when nothing does.

use repertoire_core::{TRACE_TARGET, TraceContext};
use tracing::Level;
use tracing::subscriber::set_default;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::fake::{Cluster, body};
use crate::options::DEADLINE;
use crate::trace::{Call, begin, context};

const CALL: Call<'static> = Call {
    kind: "write",
    keyspace: "ks",
    count: 1,
};

fn cause() -> TraceContext {
    TraceContext::sampled(1, 2).unwrap()
}

/// Records spans of that level on this thread. The filter is asked each time: one whose answer is
/// remembered would switch the spans on for tests on other threads, too.
fn records(level: Level) -> impl tracing::Subscriber {
    let filter = dynamic_filter_fn(move |metadata, _| {
        metadata.target() == TRACE_TARGET && *metadata.level() <= level
    });
    tracing_subscriber::registry().with(filter)
}

#[test]
fn nothing_is_traced_unless_somebody_records_it() {
    assert!(begin(CALL, None).is_none());
    let _guard = set_default(records(Level::INFO));
    assert!(begin(CALL, None).is_none());
}

#[test]
fn what_is_recorded_begins_a_trace_or_joins_that_of_its_cause() {
    let _guard = set_default(records(Level::DEBUG));
    let (one, other) = (begin(CALL, None), begin(CALL, None));
    let (one, other) = (context(&one).unwrap(), context(&other).unwrap());
    assert!(one.is_sampled() && one.trace_id() != other.trace_id());
    let child = context(&begin(CALL, Some(cause()))).unwrap();
    assert_eq!(child.trace_id(), 1);
    assert_ne!(child.span_id(), 2);
}

#[test]
fn a_cause_is_passed_on_though_this_process_records_nothing() {
    assert_eq!(context(&begin(CALL, Some(cause()))), Some(cause()));
    let unsampled = TraceContext::new(1, 2, 0);
    assert!(begin(CALL, unsampled).is_none());
    let _guard = set_default(records(Level::DEBUG));
    assert!(begin(CALL, unsampled).is_none());
}

#[tokio::test(start_paused = true)]
async fn traced_writes_travel_apart_but_in_order() {
    let (keyspace, mut cluster) = Cluster::start(DEADLINE);
    let (pipeline, _completions) = keyspace.pipeline();
    let (traced, _others) = keyspace.caused_by(cause()).pipeline();
    pipeline.submit(vec![body(1); 3]).await.unwrap();
    traced.submit(vec![body(1); 2]).await.unwrap();
    pipeline.submit(vec![body(1); 1]).await.unwrap();
    let mut link = cluster.link().await;
    let parcels = [
        link.writes().await,
        link.writes().await,
        link.writes().await,
    ];
    let seen = parcels.map(|parcel| {
        (
            parcel.first_seq,
            parcel.bodies.len(),
            context(&parcel.trace),
        )
    });
    assert_eq!(seen, [(1, 3, None), (4, 2, Some(cause())), (6, 1, None)]);
}
