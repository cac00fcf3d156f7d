//! Measures the transport on loopback: megabytes a second, and round trips.
//!
//! `cargo run --release -p repertoire-transport-quic --example measure [seconds]`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "an example that prints figures"
)]

mod raw;

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use repertoire_core::{
    Channel, Class, ClusterId, ConfigEpoch, Delivery, Encoded, GroupId, Incarnation, Lineage,
    LinkEvent, NodeId, Outgoing, Transport, TransportSink,
};
use repertoire_transport_quic::certs::{ClusterAuthority, Identity, TlsIdentity, Validity};
use repertoire_transport_quic::{Mtu, QuicConfig, QuicSettings, QuicTransport};
use tokio::sync::Notify;

/// Counts what comes, and answers control frames when it is told to.
#[derive(Default)]
struct Sink {
    bytes: AtomicU64,
    frames: AtomicU64,
    changed: Notify,
    echo: OnceLock<QuicTransport>,
}

impl TransportSink for Sink {
    fn deliver(&self, delivery: Delivery) -> bool {
        let bytes: usize = delivery.frames.iter().map(Bytes::len).sum();
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.frames
            .fetch_add(delivery.frames.len() as u64, Ordering::Relaxed);
        if delivery.class == Class::Control
            && let Some(transport) = self.echo.get()
        {
            let answers = delivery
                .frames
                .iter()
                .map(|_| frame(Class::Control, 32))
                .collect();
            transport.send(delivery.from, answers);
        }
        self.changed.notify_one();
        true
    }

    fn link(&self, event: LinkEvent) {
        if !matches!(event, LinkEvent::Down { .. }) {
            self.changed.notify_one();
        }
    }
}

fn frame(class: Class, len: usize) -> Outgoing {
    Outgoing {
        channel: Channel::Protocol,
        group: GroupId::new(1, 0),
        config_epoch: ConfigEpoch(1),
        message: Encoded {
            class,
            head: Bytes::from_static(b"a head of usual size"),
            body: vec![7; len].into(),
        },
        trace: None,
    }
}

fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn config(
    authority: &ClusterAuthority,
    id: u64,
    addresses: [SocketAddr; 2],
    mtu: Mtu,
) -> QuicConfig {
    let who = Identity::Node(NodeId(id));
    let issued = authority.issue(&who, 1).unwrap();
    let tls = TlsIdentity::from_pem(authority.cert_pem(), &issued.cert_pem, &issued.key_pem);
    let [first, second] = addresses;
    QuicConfig {
        node: NodeId(id),
        incarnation: Incarnation(id.into()),
        cluster: ClusterId(1),
        listen: if id == 1 { first } else { second },
        peers: vec![
            (NodeId(1), first.to_string()),
            (NodeId(2), second.to_string()),
        ],
        tls: tls.unwrap(),
        feature_level: 1,
        config_digest: None,
        lineage: Lineage::default(),
        witness: None,
        settings: QuicSettings {
            mtu,
            ..QuicSettings::default()
        },
    }
}

/// Runs node 2 on a thread of its own, which answers control frames, until the other end drops.
fn spawn_second(config: QuicConfig, sink: Arc<Sink>) -> (std::thread::JoinHandle<()>, Arc<Notify>) {
    let end = Arc::new(Notify::new());
    let ended = end.clone();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let node = QuicTransport::new(config).unwrap();
            assert!(sink.echo.set(node.clone()).is_ok());
            node.start(sink).await.unwrap();
            ended.notified().await;
            node.close(Duration::from_secs(1)).await;
        });
    };
    (std::thread::spawn(run), end)
}

/// Seconds of processor time that this process has used, both nodes together; zero where the system
/// does not tell. The steadier figure on a machine that others use, too.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

async fn throughput(node: &QuicTransport, here: &Sink, there: &Sink, seconds: u64) -> f64 {
    // One body, shared: its making is not measured.
    let large = frame(Class::Replication, 256 * 1024);
    let (begun, before) = (Instant::now(), there.bytes.load(Ordering::Relaxed));
    while begun.elapsed() < Duration::from_secs(seconds) {
        if node.send(NodeId(2), vec![large.clone()]) == 0 {
            // Room is reported to the sink.
            here.changed.notified().await;
        }
        tokio::task::yield_now().await;
    }
    let bytes = there.bytes.load(Ordering::Relaxed) - before;
    bytes as f64 / begun.elapsed().as_secs_f64() / 1e6
}

async fn round_trips(node: &QuicTransport, here: &Sink, in_flight: u64, seconds: u64) -> f64 {
    let begun = Instant::now();
    let start = here.frames.load(Ordering::Relaxed);
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let answered = here.frames.load(Ordering::Relaxed) - start;
        let missing = in_flight.saturating_sub(sent - answered);
        if missing > 0 {
            let frames = (0..missing).map(|_| frame(Class::Control, 32)).collect();
            sent += node.send(NodeId(2), frames) as u64;
        }
        here.changed.notified().await;
    }
    let answered = here.frames.load(Ordering::Relaxed) - start;
    answered as f64 / begun.elapsed().as_secs_f64()
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let authority = ClusterAuthority::create("measure", Validity::days(1)).unwrap();
    for mtu in [Mtu::Auto, Mtu::Fixed(6400)] {
        let addresses = [free(), free()];
        let there = Arc::new(Sink::default());
        let second = config(&authority, 2, addresses, mtu);
        let (thread, end) = spawn_second(second, there.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let node = QuicTransport::new(config(&authority, 1, addresses, mtu)).unwrap();
            let here = Arc::new(Sink::default());
            node.start(here.clone()).await.unwrap();
            while node.peer_hello(NodeId(2)).is_none() {
                here.changed.notified().await;
            }
            println!("mtu {mtu:?}");
            for in_flight in [1, 64, 1024] {
                let before = cpu();
                let rate = round_trips(&node, &here, in_flight, seconds).await;
                let each = (cpu() - before) * 1e6 / (rate * seconds as f64);
                println!(
                    "  {in_flight:>5} in flight: {rate:>9.0} round trips/s, {each:.2} us of CPU"
                );
            }
            let before = cpu();
            let rate = throughput(&node, &here, &there, seconds).await;
            let each = (cpu() - before) * 1e9 / (rate * 1e6 * seconds as f64);
            println!("  256 KiB frames, one way: {rate:.0} MB/s, {each:.2} ns of CPU a byte");
            end.notify_one();
            node.close(Duration::from_secs(1)).await;
        });
        thread.join().unwrap();
        let issued = authority.issue(&Identity::Node(NodeId(2)), 1).unwrap();
        let bytes = match mtu {
            Mtu::Auto => None,
            Mtu::Fixed(bytes) => Some(bytes),
        };
        let before = cpu();
        let rate = raw::throughput((authority.cert_pem(), &issued), free(), bytes, seconds);
        let each = (cpu() - before) * 1e9 / (rate * 1e6 * seconds as f64);
        println!("  quinn alone, one way: {rate:.0} MB/s, {each:.2} ns of CPU a byte");
    }
}
