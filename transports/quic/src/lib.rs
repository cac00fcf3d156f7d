#![doc = include_str!("../README.md")]

mod accept;
pub mod certs;
mod chunks;
mod client;
mod congestion;
mod counters;
mod dial;
mod endpoint;
mod gate;
mod handshake;
mod inner;
mod limit;
mod link;
mod outbox;
mod peer;
mod pulse;
mod refusal;
mod session;
mod settings;
mod stream;
mod tls;
mod transport;

pub use client::{ClientChannel, ClientConfig, FrameReceiver, FrameSender, QuicClient};
pub use counters::TransportStats;
pub use limit::raw_mb_per_second;
pub use pulse::Pulse;
pub use repertoire_wire::hello::RefusalReason;
pub use session::{ClientAcceptor, ClientInfo, ClientSink};
pub use settings::{MTU_MAX, MTU_MIN, Mtu, OutboxBudgets, QuicConfig, QuicSettings};
pub use transport::QuicTransport;
