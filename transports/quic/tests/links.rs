//! Links between nodes: urgency, restarts, hostile peers, floods.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use quinn::Connection;
use repertoire_conformance::transport::numbered;
use repertoire_core::{Class, ClusterId, Incarnation, NodeId, Transport as _};
use repertoire_transport_quic::certs::{Identity, IssuedCertificate};
use repertoire_transport_quic::{Mtu, QuicConfig, QuicSettings, QuicTransport, RefusalReason};
use repertoire_wire::hello::{Hello, Speaker, StreamHello};
use repertoire_wire::{Envelope, Frame, FrameKind, encode_frame};
use support::raw::{CLIENT, PEER, Stranger, closed_for, say};
use support::{Cluster, counted, start, within};

#[tokio::test]
async fn control_overtakes_queued_bulk() {
    const BULK: u32 = 64;
    let cluster = Cluster::new("shop");
    let mut configs = cluster.configs(2, |settings| settings.outbox.bulk = 64 << 20);
    let (b, seen_by_b) = start(configs.pop().unwrap()).await;
    let (a, seen_by_a) = start(configs.pop().unwrap()).await;
    seen_by_a
        .until("the link", |seen| seen.up == [NodeId(2)])
        .await;
    // Nothing is written before the next await: control is queued behind 32 MiB of bulk.
    let bulk = (0..BULK)
        .map(|number| numbered(Class::Bulk, number, 512 * 1024))
        .collect();
    assert_eq!(a.send(NodeId(2), bulk), BULK as usize);
    assert_eq!(a.send(NodeId(2), vec![numbered(Class::Control, 1, 10)]), 1);
    seen_by_b
        .until("all of it", |seen| {
            seen.of(NodeId(1), Class::Bulk).len() == BULK as usize
        })
        .await;
    let seen = seen_by_b.seen().clone();
    let before: usize = seen
        .deliveries
        .iter()
        .take_while(|(_, class, _)| *class != Class::Control)
        .map(|(_, _, frames)| frames)
        .sum();
    assert!(
        before <= 8,
        "{before} of {BULK} bulk frames came before control"
    );
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

#[tokio::test]
async fn links_come_back_when_either_side_restarts() {
    let cluster = Cluster::new("shop");
    let configs = cluster.configs(2, |_| {});
    let (a, seen_by_a) = start(configs[0].clone()).await;
    let (b, _) = start(configs[1].clone()).await;
    seen_by_a
        .until("the link", |seen| seen.up == [NodeId(2)])
        .await;
    b.close(Duration::from_secs(1)).await;
    seen_by_a
        .until("its end", |seen| seen.downs.len() == 1)
        .await;
    assert!(seen_by_a.seen().downs[0].1.contains("shutting-down"));

    let (b, seen_by_b) = start(configs[1].clone()).await;
    seen_by_a
        .until("the link to the restarted node", |seen| {
            seen.up == [NodeId(2)]
        })
        .await;
    seen_by_b
        .until("the link", |seen| seen.up == [NodeId(1)])
        .await;
    assert_eq!(
        a.send(NodeId(2), vec![numbered(Class::Replication, 1, 9)]),
        1
    );
    seen_by_b
        .until("a frame", |seen| {
            seen.of(NodeId(1), Class::Replication).len() == 1
        })
        .await;

    a.close(Duration::from_secs(1)).await;
    let (a, _) = start(configs[0].clone()).await;
    seen_by_b
        .until("the link again", |seen| {
            seen.downs.len() == 1 && seen.up == [NodeId(1)]
        })
        .await;
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

/// Runs a node until its link to `peer` is up, and then no more.
async fn die_without_a_word(config: QuicConfig, peer: NodeId) {
    let dying = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (node, seen) = start(config).await;
            seen.until("the link", |seen| seen.up == [peer]).await;
            drop(node);
        });
        // The runtime ends here, and nobody says goodbye.
    });
    tokio::task::spawn_blocking(move || dying.join().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dialler_that_died_without_a_word_is_replaced() {
    let cluster = Cluster::new("shop");
    let configs = cluster.configs(2, |_| {});
    let (b, seen_by_b) = start(configs[1].clone()).await;
    die_without_a_word(configs[0].clone(), NodeId(2)).await;
    let (a, seen_by_a) = start(configs[0].clone()).await;
    seen_by_a
        .until("the link", |seen| seen.up == [NodeId(2)])
        .await;
    seen_by_b
        .until("both links", |seen| {
            !seen.downs.is_empty() && seen.up == [NodeId(1)]
        })
        .await;
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

/// Long before the connection times out, although nobody sends anything.
#[tokio::test]
async fn a_peer_that_died_without_a_word_is_reported_silent() {
    let cluster = Cluster::new("shop");
    let configs = cluster.configs(2, |settings| {
        settings.idle_timeout = Duration::from_mins(10);
        settings.silence = Duration::from_millis(60);
    });
    let (a, seen_by_a) = start(configs[0].clone()).await;
    die_without_a_word(configs[1].clone(), NodeId(1)).await;
    seen_by_a
        .until("its silence", |seen| !seen.silent.is_empty())
        .await;
    let seen = seen_by_a.seen().clone();
    assert_eq!(seen.silent, [NodeId(2)], "said once");
    assert!(seen.downs.is_empty(), "the link is not down yet");
    a.close(Duration::ZERO).await;
}

#[tokio::test]
async fn a_listener_that_died_without_a_word_is_replaced() {
    let cluster = Cluster::new("shop");
    // Nobody may wait for this.
    let configs = cluster.configs(2, |settings| {
        settings.idle_timeout = Duration::from_mins(10);
    });
    let (a, seen_by_a) = start(configs[0].clone()).await;
    die_without_a_word(configs[1].clone(), NodeId(1)).await;
    let (b, seen_by_b) = start(configs[1].clone()).await;
    seen_by_b
        .until("the link", |seen| seen.up == [NodeId(1)])
        .await;
    seen_by_a
        .until("both links", |seen| {
            !seen.downs.is_empty() && seen.up == [NodeId(2)]
        })
        .await;
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

#[tokio::test]
async fn a_removed_peer_is_let_go_and_dialled_no_more() {
    let cluster = Cluster::new("shop");
    let mut configs = cluster.configs(2, |_| {});
    let (b, seen_by_b) = start(configs.pop().unwrap()).await;
    let (a, seen_by_a) = start(configs.pop().unwrap()).await;
    seen_by_a
        .until("the link", |seen| seen.up == [NodeId(2)])
        .await;
    assert_eq!(
        a.peer_hello(NodeId(2)).unwrap().cluster,
        Some(ClusterId(77))
    );
    a.remove_peer(NodeId(2));
    seen_by_b
        .until("its end", |seen| seen.downs.len() == 1)
        .await;
    seen_by_a
        .until("its end", |seen| seen.downs.len() == 1)
        .await;
    assert_eq!(a.send(NodeId(2), vec![numbered(Class::Control, 1, 1)]), 0);
    a.add_peer(NodeId(2), b.local_addr().unwrap().to_string());
    seen_by_a
        .until("the link again", |seen| seen.up == [NodeId(2)])
        .await;
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

#[tokio::test]
async fn large_packets_carry_large_frames() {
    let cluster = Cluster::new("shop");
    let mut configs = cluster.configs(2, |settings| settings.mtu = Mtu::Fixed(6400));
    let (b, seen_by_b) = start(configs.pop().unwrap()).await;
    let (a, seen_by_a) = start(configs.pop().unwrap()).await;
    seen_by_a
        .until("the link", |seen| seen.up == [NodeId(2)])
        .await;
    let frames = (0..20)
        .map(|number| numbered(Class::Replication, number, 500_000))
        .collect();
    assert_eq!(a.send(NodeId(2), frames), 20);
    seen_by_b
        .until("all", |seen| {
            seen.of(NodeId(1), Class::Replication).len() == 20
        })
        .await;
    a.close(Duration::ZERO).await;
    b.close(Duration::ZERO).await;
}

/// A peer that passed every check and then misbehaves.
struct Hostile {
    target: QuicTransport,
    issued: IssuedCertificate,
    trusts: String,
}

impl Hostile {
    async fn new() -> Self {
        let cluster = Cluster::new("shop");
        let at = support::free_address();
        let (target, _) = start(cluster.config(2, at, &[(1, support::free_address())])).await;
        Self {
            target,
            issued: cluster
                .authority
                .issue(&Identity::Node(NodeId(1)), 1)
                .unwrap(),
            trusts: cluster.authority.cert_pem().to_owned(),
        }
    }

    async fn connect(&self) -> (quinn::Endpoint, Connection) {
        let stranger = Stranger {
            trusts: &self.trusts,
            shows: Some(&self.issued),
            alpn: PEER,
        };
        let at = self.target.local_addr().unwrap();
        let (endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
        let connection = connection.unwrap();
        let speaker = Speaker::Node {
            id: NodeId(1),
            incarnation: Incarnation(1),
        };
        let hello = Hello::new(Some(ClusterId(77)), speaker);
        say(&connection, hello.encode()).await;
        (endpoint, connection)
    }

    /// What the node does about a one-way stream with these bytes.
    async fn reason_for(&self, bytes: Vec<u8>) -> RefusalReason {
        let (_endpoint, connection) = self.connect().await;
        let mut stream = connection.open_uni().await.unwrap();
        // Fails when the connection is closed before everything is written.
        let _written = stream.write_all(&bytes).await;
        within("the end of the link", closed_for(&connection)).await
    }
}

fn on_stream(class: Class, bytes: &[u8]) -> Vec<u8> {
    [&StreamHello { class }.encode()[..], bytes].concat()
}

#[tokio::test]
async fn hostile_frames_end_the_connection_and_not_the_node() {
    let hostile = Hostile::new().await;
    let oversized = u32::try_from(64 * 1024 + 23).unwrap().to_le_bytes();
    let foreign = Hello::new(
        None,
        Speaker::Node {
            id: NodeId(1),
            incarnation: Incarnation(1),
        },
    );
    let (mut damaged, _) = encode_frame(&numbered(Class::Control, 1, 0))
        .map(|(f, b)| (f.to_vec(), b))
        .unwrap();
    damaged[4 + 18] = 0xff;
    for bytes in [
        on_stream(Class::Bulk, &u32::MAX.to_le_bytes()),
        on_stream(Class::Control, &oversized),
        on_stream(Class::Control, &3_u32.to_le_bytes()),
        on_stream(Class::Control, &foreign.encode()),
        on_stream(Class::Control, &damaged),
        numbered_bytes(),
    ] {
        assert_eq!(hostile.reason_for(bytes).await, RefusalReason::Malformed);
    }
    // A well-behaved frame still gets through.
    let (_endpoint, connection) = hostile.connect().await;
    let mut stream = connection.open_uni().await.unwrap();
    let good = on_stream(Class::Control, &numbered_bytes());
    stream.write_all(&good).await.unwrap();
    let arrived = async {
        while hostile.target.stats().frames_received == 0 {
            tokio::task::yield_now().await;
        }
    };
    within("a good frame", arrived).await;
    hostile.target.close(Duration::ZERO).await;
}

fn numbered_bytes() -> Vec<u8> {
    let (front, body) = encode_frame(&numbered(Class::Control, 1, 3)).unwrap();
    [&front[..], &body[..]].concat()
}

#[tokio::test]
async fn frames_and_streams_of_the_future_are_skipped() {
    let hostile = Hostile::new().await;
    let (_endpoint, connection) = hostile.connect().await;
    let future = Frame::new(
        Envelope::bare(FrameKind::Unknown(99)),
        Bytes::new(),
        Bytes::new(),
    );
    let (future, _) = future.encode(100).unwrap();
    let mut stream = connection.open_uni().await.unwrap();
    let bytes = [&on_stream(Class::Control, &future)[..], &numbered_bytes()].concat();
    stream.write_all(&bytes).await.unwrap();
    let arrived = async {
        while hostile.target.stats().frames_received == 0 {
            tokio::task::yield_now().await;
        }
    };
    within("the frame behind it", arrived).await;
    assert_eq!(hostile.target.stats().frames_skipped, 1);
    assert!(connection.close_reason().is_none());
    hostile.target.close(Duration::ZERO).await;
}

#[tokio::test]
async fn two_streams_of_one_class_are_refused() {
    let hostile = Hostile::new().await;
    let (_endpoint, connection) = hostile.connect().await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = connection.open_uni().await.unwrap();
        stream
            .write_all(&on_stream(Class::Bulk, &[]))
            .await
            .unwrap();
        streams.push(stream);
    }
    assert_eq!(
        within("the end", closed_for(&connection)).await,
        RefusalReason::Malformed
    );
    hostile.target.close(Duration::ZERO).await;
}

/// A node with few places, and what strangers need to reach it.
async fn small(cluster: &Cluster, set: impl Fn(&mut QuicSettings)) -> QuicTransport {
    let mut config = cluster.config(2, support::free_address(), &[]);
    set(&mut config.settings);
    start(config).await.0
}

#[tokio::test]
async fn a_flood_of_handshakes_is_bounded() {
    let cluster = Cluster::new("shop");
    let target = small(&cluster, |settings| {
        settings.retry_from = 2;
        settings.handshakes_max = 4;
        settings.hello_timeout = Duration::from_millis(500);
    })
    .await;
    let at = target.local_addr().unwrap();
    let issued = cluster
        .authority
        .issue(&Identity::Node(NodeId(1)), 1)
        .unwrap();
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: Some(&issued),
        alpn: PEER,
    };
    let mut silent = Vec::new();
    let mut refused = 0;
    for _ in 0..32 {
        match within("an answer", stranger.connect(at, "node-2.shop.repertoire")).await {
            (endpoint, Ok(connection)) => silent.push((endpoint, connection)),
            (_, Err(_)) => refused += 1,
        }
    }
    let stats = target.stats();
    assert!(refused > 0 && stats.refusals[&RefusalReason::TooMany] >= refused);
    assert!(stats.retries_asked > 0, "nobody had to prove an address");
    for (_, connection) in &silent {
        assert_eq!(
            within("the end", closed_for(connection)).await,
            RefusalReason::TimedOut
        );
    }
    target.close(Duration::ZERO).await;
}

#[tokio::test]
async fn clients_of_one_address_are_bounded() {
    struct Nobody;
    impl repertoire_transport_quic::ClientAcceptor for Nobody {
        fn opened(
            &self,
            _: u64,
            _: repertoire_transport_quic::ClientInfo,
            _: repertoire_transport_quic::ClientSink,
        ) -> Result<(), RefusalReason> {
            Ok(())
        }
        fn on_frames(&self, _: u64, _: Vec<Bytes>) {}
        fn closed(&self, _: u64) {}
    }
    let cluster = Cluster::new("shop");
    let mut config = cluster.config(2, support::free_address(), &[]);
    config.settings.clients_per_address_max = 3;
    let target = support::transport(config);
    target.serve_clients(std::sync::Arc::new(Nobody));
    target
        .start(std::sync::Arc::default()
            as std::sync::Arc<repertoire_conformance::transport::Recorder>)
        .await
        .unwrap();
    let issued = cluster
        .authority
        .issue(&Identity::Client("batch".into()), 1)
        .unwrap();
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: Some(&issued),
        alpn: CLIENT,
    };
    let at = target.local_addr().unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        let (endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
        open.push((endpoint, connection.unwrap()));
    }
    counted(&target, RefusalReason::TooMany).await;
    let reason = within("the fourth's refusal", closed_for(&open[3].1)).await;
    assert_eq!(reason, RefusalReason::TooMany);
    assert!(
        open[..3]
            .iter()
            .all(|(_, connection)| connection.close_reason().is_none())
    );
    target.close(Duration::ZERO).await;
}
