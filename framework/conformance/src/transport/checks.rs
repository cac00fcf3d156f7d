//! One promise each.

use std::sync::Arc;
use std::time::Duration;

use repertoire_core::{Class, NodeId, Transport};
use repertoire_wire::frame_max;

use super::{BUDGET, Nodes, Recorder, id, numbered};

const PATIENCE: Duration = Duration::from_secs(10);

struct Node {
    id: NodeId,
    transport: Arc<dyn Transport>,
    sink: Arc<Recorder>,
}

/// Starts the nodes and waits for all links.
async fn started(nodes: Nodes) -> Vec<Node> {
    let count = nodes.len();
    let mut started = Vec::new();
    for (index, transport) in nodes.into_iter().enumerate() {
        let sink = Arc::new(Recorder::default());
        let outcome = transport.start(sink.clone()).await;
        assert!(outcome.is_ok(), "a node does not start: {outcome:?}");
        started.push(Node {
            id: id(index),
            transport,
            sink,
        });
    }
    for node in &started {
        node.sink
            .until("links to all others", |seen| seen.up.len() == count - 1)
            .await;
    }
    started
}

async fn pair(nodes: Nodes) -> (Node, Node) {
    let mut nodes = started(nodes).await.into_iter();
    let pair = nodes.next().zip(nodes.next());
    assert!(pair.is_some(), "the check needs two nodes");
    pair.unwrap_or_else(|| unreachable!())
}

async fn end(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        assert!(
            !node.sink.seen().early,
            "frames came before the link was reported up"
        );
        node.transport.close(PATIENCE).await;
    }
}

pub(super) async fn frames_arrive_whole_and_in_order(nodes: Nodes) {
    const COUNT: u32 = 2000;
    let (a, b) = pair(nodes).await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        for number in 0..COUNT {
            let frames: Vec<_> = Class::ALL
                .map(|class| numbered(class, number, number as usize % 700))
                .into();
            assert_eq!(from.transport.send(to.id, frames), 3);
        }
    }
    for (from, to) in [(&a, &b), (&b, &a)] {
        for class in Class::ALL {
            let all =
                |seen: &super::recorder::Seen| seen.of(from.id, class).len() >= COUNT as usize;
            to.sink.until("all frames of a class", all).await;
            let wanted: Vec<_> = (0..COUNT).map(|n| (n, n as usize % 700)).collect();
            assert_eq!(to.sink.seen().of(from.id, class), wanted);
        }
    }
    end([a, b]).await;
}

pub(super) async fn three_nodes_hear_only_what_is_meant_for_them(nodes: Nodes) {
    let nodes = started(nodes).await;
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.id != from.id) {
            let number = u32::try_from(10 * from.id.0 + to.id.0).unwrap_or_default();
            let frame = numbered(Class::Replication, number, 5);
            assert_eq!(from.transport.send(to.id, vec![frame]), 1);
        }
    }
    for to in &nodes {
        for from in nodes.iter().filter(|from| from.id != to.id) {
            let number = u32::try_from(10 * from.id.0 + to.id.0).unwrap_or_default();
            let of = |seen: &super::recorder::Seen| {
                seen.of(from.id, Class::Replication) == [(number, 5)]
            };
            to.sink.until("its own frame", of).await;
        }
        assert_eq!(to.sink.seen().frames.len(), nodes.len() - 1);
    }
    end(nodes).await;
}

pub(super) async fn the_largest_frame_of_each_class_arrives(nodes: Nodes) {
    let (a, b) = pair(nodes).await;
    for class in Class::ALL {
        let len = frame_max(class) - 4;
        assert_eq!(a.transport.send(b.id, vec![numbered(class, 1, len)]), 1);
        b.sink
            .until("a large frame", |seen| seen.of(a.id, class) == [(1, len)])
            .await;
    }
    end([a, b]).await;
}

pub(super) async fn nothing_is_taken_for_a_peer_without_a_link(nodes: Nodes) {
    let (a, b) = pair(nodes).await;
    let frame = || vec![numbered(Class::Control, 1, 1)];
    assert_eq!(a.transport.send(NodeId(77), frame()), 0);
    let gone = b.id;
    end([b]).await;
    a.sink
        .until("the end of the link", |seen| seen.up.is_empty())
        .await;
    assert_eq!(a.transport.send(gone, frame()), 0);
    end([a]).await;
}

pub(super) async fn an_oversized_frame_harms_only_itself(nodes: Nodes) {
    let (a, b) = pair(nodes).await;
    let frames = vec![
        numbered(Class::Control, 1, 10),
        numbered(Class::Control, 2, frame_max(Class::Control)),
        numbered(Class::Control, 3, 10),
    ];
    a.transport.send(b.id, frames);
    b.sink
        .until("the other frames", |seen| {
            seen.of(a.id, Class::Control).len() == 2
        })
        .await;
    assert_eq!(b.sink.seen().of(a.id, Class::Control), [(1, 10), (3, 10)]);
    assert!(b.sink.seen().downs.is_empty());
    end([a, b]).await;
}

pub(super) async fn a_refused_class_waits_and_control_does_not(nodes: Nodes) {
    let (a, b) = pair(nodes).await;
    b.sink.refuse(Class::Replication, true);
    a.transport
        .send(b.id, vec![numbered(Class::Replication, 0, 10)]);
    let first = |seen: &super::recorder::Seen| seen.of(a.id, Class::Replication).len() == 1;
    b.sink.until("the refused delivery", first).await;
    for number in 1..100 {
        a.transport
            .send(b.id, vec![numbered(Class::Replication, number, 10)]);
        a.transport
            .send(b.id, vec![numbered(Class::Control, number, 10)]);
    }
    b.sink
        .until("control", |seen| seen.of(a.id, Class::Control).len() == 99)
        .await;
    assert_eq!(
        b.sink.seen().of(a.id, Class::Replication).len(),
        1,
        "reading did not stop"
    );
    b.sink.refuse(Class::Replication, false);
    b.transport.resume(a.id);
    b.sink
        .until("the rest", |seen| {
            seen.of(a.id, Class::Replication).len() == 100
        })
        .await;
    end([a, b]).await;
}

pub(super) async fn a_full_outbox_refuses_and_reports_room(nodes: Nodes) {
    const LEN: usize = 64 * 1024;
    // What the peers hold outside the outbox (windows of the network, say) is less than this.
    const MOST: u32 = 4096;
    let (a, b) = pair(nodes).await;
    b.sink.refuse(Class::Replication, true);
    let mut sent = 0;
    while sent < MOST
        && a.transport
            .send(b.id, vec![numbered(Class::Replication, sent, LEN)])
            == 1
    {
        sent += 1;
    }
    assert!(sent < MOST, "the outbox takes without end");
    assert!(
        sent as usize * LEN + LEN >= BUDGET,
        "the outbox refuses below its budget"
    );
    let control = vec![
        numbered(Class::Replication, sent, LEN),
        numbered(Class::Control, 5, 1),
    ];
    a.transport.send(b.id, control);
    b.sink
        .until("control past a full class", |seen| {
            seen.of(a.id, Class::Control) == [(5, 1)]
        })
        .await;
    b.sink.refuse(Class::Replication, false);
    b.transport.resume(a.id);
    a.sink
        .until("room", |seen| seen.writable.contains(&b.id))
        .await;
    // A frame between refusal and room may have been taken; what was taken arrives, in order.
    b.sink
        .until("what was taken", |seen| {
            seen.of(a.id, Class::Replication).len() >= sent as usize
        })
        .await;
    let seen = b.sink.seen().clone();
    let numbers = seen
        .of(a.id, Class::Replication)
        .iter()
        .map(|(number, _)| *number);
    assert!(numbers.eq(0..u32::try_from(seen.of(a.id, Class::Replication).len()).unwrap_or(0)));
    end([a, b]).await;
}

pub(super) async fn a_closing_node_sends_what_is_queued(nodes: Nodes) {
    const COUNT: u32 = 500;
    let (a, b) = pair(nodes).await;
    let frames = (0..COUNT)
        .map(|number| numbered(Class::Replication, number, 3000))
        .collect();
    assert_eq!(a.transport.send(b.id, frames), COUNT as usize);
    let from = a.id;
    end([a]).await;
    b.sink
        .until("the end of the link", |seen| !seen.downs.is_empty())
        .await;
    assert_eq!(
        b.sink.seen().of(from, Class::Replication).len(),
        COUNT as usize
    );
    end([b]).await;
}
