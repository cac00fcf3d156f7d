//! The four steps of the RESP server, each driven over its socket.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says why; the steps' own `main` is not called"
)]

use bytes::BytesMut;
use redis_protocol::resp2::decode::decode_bytes_mut;
use repertoire_book::resp::{self, Database, Frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[path = "../examples/resp_1.rs"]
mod step_1;
#[path = "../examples/resp_2.rs"]
mod step_2;
#[path = "../examples/resp_3.rs"]
mod step_3;
#[path = "../examples/resp_4.rs"]
mod step_4;

/// A client with one connection.
struct Redis {
    socket: TcpStream,
    input: BytesMut,
}

impl Redis {
    async fn of(database: impl Database + Sync) -> Self {
        Self::at(Self::serve(database).await).await
    }

    /// Starts a server and returns its address.
    async fn serve(database: impl Database + Sync) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(resp::serve(listener, database));
        address
    }

    async fn at(address: std::net::SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let input = BytesMut::new();
        Self { socket, input }
    }

    /// Sends a command without waiting for its reply.
    async fn send(&mut self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let mut out = format!("*{}\r\n", words.len());
        for word in words {
            out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.socket.write_all(out.as_bytes()).await.unwrap();
    }

    async fn reply(&mut self) -> Frame {
        loop {
            if let Some((frame, _, _)) = decode_bytes_mut(&mut self.input).unwrap() {
                return frame;
            }
            assert!(self.socket.read_buf(&mut self.input).await.unwrap() > 0);
        }
    }

    async fn ask(&mut self, command: &str) -> Frame {
        self.send(command).await;
        self.reply().await
    }
}

fn text(value: &'static str) -> Frame {
    Frame::BulkString(value.into())
}

async fn sets_and_gets(redis: &mut Redis) {
    assert_eq!(redis.ask("GET color").await, Frame::Null);
    assert_eq!(redis.ask("set color blue").await, resp::ok());
    assert_eq!(redis.ask("GET color").await, text("blue"));
    assert!(matches!(redis.ask("FLY away").await, Frame::Error(_)));
    // Requests that arrive together are answered in order.
    redis.send("SET color red").await;
    redis.send("GET color").await;
    assert_eq!(redis.reply().await, resp::ok());
    assert_eq!(redis.reply().await, text("red"));
}

#[tokio::test]
async fn step_1_sets_and_gets() {
    let mut redis = Redis::of(step_1::InMemory::default()).await;
    sets_and_gets(&mut redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_2_survives_a_follower() {
    let (mut cluster, database) = step_2::open().await.unwrap();
    let mut redis = Redis::of(database).await;
    sets_and_gets(&mut redis).await;
    cluster.stop_node(repertoire_core::NodeId(3)).await.unwrap();
    assert_eq!(redis.ask("SET color green").await, resp::ok());
    assert_eq!(redis.ask("GET color").await, text("green"));
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_3_counts_every_increment_once() {
    let (cluster, database) = step_3::open().await.unwrap();
    let address = Redis::serve(database).await;
    let count = |_| async move {
        let mut redis = Redis::at(address).await;
        for _ in 0..50 {
            assert!(matches!(redis.ask("INCR visits").await, Frame::Integer(_)));
        }
    };
    let all: Vec<_> = (0..4).map(|n| tokio::spawn(count(n))).collect();
    for one in all {
        one.await.unwrap();
    }
    let mut redis = Redis::at(address).await;
    assert_eq!(redis.ask("GET visits").await, text("200"));
    assert_eq!(redis.ask("SET name ann").await, resp::ok());
    let refused = redis.ask("INCR name").await;
    let Frame::Error(message) = &refused else {
        panic!("{refused:?}");
    };
    assert!(
        message.starts_with("ERR ") && message.contains("not an integer"),
        "{message}"
    );
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_4_waits_for_followers() {
    let (mut cluster, database) = step_4::open(repertoire_core::Durability::Disk)
        .await
        .unwrap();
    let mut redis = Redis::of(database).await;
    assert_eq!(redis.ask("SET color blue").await, resp::ok());
    assert_eq!(redis.ask("WAIT 2 0").await, Frame::Integer(2));
    cluster.stop_node(repertoire_core::NodeId(3)).await.unwrap();
    assert_eq!(redis.ask("SET color red").await, resp::ok());
    // One follower is left, and the other one is waited for in vain.
    assert_eq!(redis.ask("WAIT 2 200").await, Frame::Integer(1));
    assert_eq!(redis.ask("GET color").await, text("red"));
    cluster.stop().await.unwrap();
}
