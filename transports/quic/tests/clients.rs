//! Sessions of clients: frames both ways, credit, slow readers, refusals.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use repertoire_conformance::transport::Recorder;
use repertoire_core::{ClusterId, ErrorKind, NodeId, Transport as _};
use repertoire_transport_quic::certs::{Identity, Usage, Validity};
use repertoire_transport_quic::{
    ClientAcceptor, ClientInfo, ClientSink, QuicClient, QuicSettings, QuicTransport, RefusalReason,
};
use repertoire_wire::client::{AdminReply, AdminRequest, AdminVerb, ClientReply, ClientRequest};
use support::{Cluster, within};
use tokio::sync::Notify;

#[derive(Default)]
struct State {
    sinks: Vec<(u64, ClientInfo, ClientSink)>,
    received: usize,
    closed: Vec<u64>,
}

/// Answers each administrative request with its own arguments, or keeps silent.
#[derive(Default)]
struct Echo {
    state: Mutex<State>,
    changed: Notify,
    is_silent: bool,
}

impl Echo {
    async fn until(&self, what: &str, is_enough: impl Fn(&State) -> bool) {
        within(what, async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if is_enough(&self.state.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }

    fn sink(&self) -> ClientSink {
        self.state.lock().unwrap().sinks[0].2.clone()
    }
}

impl ClientAcceptor for Echo {
    fn opened(
        &self,
        session: u64,
        info: ClientInfo,
        sink: ClientSink,
    ) -> Result<(), RefusalReason> {
        if info.identity == Identity::Client("unwanted".into()) {
            return Err(RefusalReason::WrongRole);
        }
        self.state.lock().unwrap().sinks.push((session, info, sink));
        self.changed.notify_waiters();
        Ok(())
    }

    fn on_frames(&self, session: u64, frames: Vec<Bytes>) {
        let mut state = self.state.lock().unwrap();
        state.received += frames.len();
        let sinks = &state.sinks;
        let sink = &sinks.iter().find(|(id, _, _)| *id == session).unwrap().2;
        for frame in frames.into_iter().filter(|_| !self.is_silent) {
            let len = frame.len();
            let ClientRequest::Admin(request) = ClientRequest::decode(frame).unwrap() else {
                panic!("not an administrative request");
            };
            let reply = AdminReply {
                request: request.request,
                result: Ok(request.args),
            };
            sink.send(&[reply.encode().unwrap()]);
            sink.release(len);
        }
        self.changed.notify_waiters();
    }

    fn closed(&self, session: u64) {
        self.state.lock().unwrap().closed.push(session);
        self.changed.notify_waiters();
    }
}

async fn serve(
    cluster: &Cluster,
    is_silent: bool,
    set: impl Fn(&mut QuicSettings),
) -> (QuicTransport, Arc<Echo>) {
    let mut config = cluster.config(2, support::free_address(), &[]);
    set(&mut config.settings);
    let node = support::transport(config);
    let echo = Arc::new(Echo {
        is_silent,
        ..Echo::default()
    });
    node.serve_clients(echo.clone());
    node.start(Arc::new(Recorder::default())).await.unwrap();
    (node, echo)
}

fn request(request: u64, len: usize) -> (Bytes, Bytes) {
    let request = AdminRequest {
        request,
        verb: AdminVerb::Status,
        args: vec![b'x'; len].into(),
    };
    request.encode().unwrap()
}

#[tokio::test]
async fn requests_and_replies_flow_in_order() {
    const COUNT: u64 = 500;
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, false, |_| {}).await;
    let config = cluster.client(node.local_addr().unwrap(), Some(2));
    let client = QuicClient::connect(config).await.unwrap();
    let mut channel = client.open().await.unwrap();
    assert_eq!(channel.node.node().unwrap().0, NodeId(2));
    assert_eq!(channel.node.cluster, Some(ClusterId(77)));
    assert!(channel.credit > 0);
    let frames: Vec<_> = (0..COUNT)
        .map(|i| request(i, 7 * usize::try_from(i).unwrap()))
        .collect();
    let sending = async {
        channel.sender.send(&frames).await.unwrap();
        channel.sender
    };
    let receiving = async {
        let mut next = 0;
        while next < COUNT {
            for frame in channel.receiver.recv().await.unwrap() {
                let ClientReply::Admin(reply) = ClientReply::decode(frame).unwrap() else {
                    panic!("not an administrative reply");
                };
                assert_eq!(reply.request, next);
                assert_eq!(
                    reply.result.unwrap().len(),
                    7 * usize::try_from(next).unwrap()
                );
                next += 1;
            }
        }
    };
    let (mut sender, ()) = within("all replies", async { tokio::join!(sending, receiving) }).await;
    let info = echo.state.lock().unwrap().sinks[0].1.clone();
    assert_eq!(info.identity, Identity::Client("tester".into()));
    sender.finish();
    echo.until("the end of the session", |state| state.closed.len() == 1)
        .await;
    client.close().await;
    node.close(Duration::ZERO).await;
}

#[tokio::test]
async fn sessions_of_one_connection_are_independent() {
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, false, |_| {}).await;
    let config = cluster.client(node.local_addr().unwrap(), None);
    let client = QuicClient::connect(config).await.unwrap();
    let mut first = client.open().await.unwrap();
    let mut second = client.open().await.unwrap();
    echo.sink().close(RefusalReason::SlowReader);
    let error = within("its end", first.receiver.recv()).await.unwrap_err();
    assert!(error.to_string().contains("slow-reader"), "{error}");
    second.sender.send(&[request(1, 1)]).await.unwrap();
    assert_eq!(
        within("a reply", second.receiver.recv())
            .await
            .unwrap()
            .len(),
        1
    );
    drop((first, second));
    client.close().await;
    echo.until("the end of both", |state| state.closed.len() == 2)
        .await;
    node.close(Duration::ZERO).await;
}

#[tokio::test]
async fn a_client_beyond_its_credit_is_not_read() {
    const LEN: usize = 10_000;
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, true, |settings| {
        settings.session_credit = 50_000;
        settings.stream_window = 100_000;
    })
    .await;
    let config = cluster.client(node.local_addr().unwrap(), Some(2));
    let client = QuicClient::connect(config).await.unwrap();
    let mut channel = client.open().await.unwrap();
    let frames: Vec<_> = (0..100).map(|i| request(i, LEN)).collect();
    let mut sending = tokio::spawn(async move { channel.sender.send(&frames).await });
    echo.until("the credit's worth", |state| state.received >= 5)
        .await;
    let read = echo.state.lock().unwrap().received;
    assert!(read < 50, "{read} frames were read on a credit of five");
    assert!(!sending.is_finished());
    // Each release lets more in, until everything was read.
    for _ in 0..100 {
        echo.sink().release(LEN + 100);
        if echo.state.lock().unwrap().received == 100 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let all = async {
        while echo.state.lock().unwrap().received < 100 {
            echo.sink().release(LEN + 100);
            tokio::task::yield_now().await;
        }
    };
    within("the rest", all).await;
    within("the sender", &mut sending).await.unwrap().unwrap();
    client.close().await;
    node.close(Duration::ZERO).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, true, |settings| settings.session_outbox = 1 << 20).await;
    let config = cluster.client(node.local_addr().unwrap(), Some(2));
    let client = QuicClient::connect(config).await.unwrap();
    let mut channel = client.open().await.unwrap();
    echo.until("the session", |state| state.sinks.len() == 1)
        .await;
    let sink = echo.sink();
    let reply = AdminReply {
        request: 1,
        result: Ok(vec![0; 200_000].into()),
    };
    let reply = [reply.encode().unwrap()];
    let mut sent = 0;
    while sink.send(&reply) {
        sent += 1;
        assert!(sent < 1000, "replies pile up without end");
        tokio::task::yield_now().await;
    }
    echo.until("the end of the session", |state| state.closed.len() == 1)
        .await;
    let error = within("the end", async {
        loop {
            if let Err(error) = channel.receiver.recv().await {
                return error;
            }
        }
    });
    assert!(error.await.to_string().contains("slow-reader"));
    client.close().await;
    node.close(Duration::ZERO).await;
}

#[tokio::test]
async fn replies_that_are_queued_go_out_before_the_node_closes() {
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, false, |_| {}).await;
    let config = cluster.client(node.local_addr().unwrap(), Some(2));
    let client = QuicClient::connect(config).await.unwrap();
    let mut channel = client.open().await.unwrap();
    channel.sender.send(&[request(1, 100_000)]).await.unwrap();
    echo.until("the request", |state| state.received == 1).await;
    let closing = node.close(Duration::from_secs(5));
    let receiving = async { channel.receiver.recv().await.unwrap().len() };
    let (reply, ()) = within("the reply", async { tokio::join!(receiving, closing) }).await;
    assert_eq!(reply, 1);
}

#[tokio::test]
async fn a_node_without_patience_still_says_goodbye() {
    let cluster = Cluster::new("shop");
    let (node, echo) = serve(&cluster, true, |_| {}).await;
    let config = cluster.client(node.local_addr().unwrap(), Some(2));
    let client = QuicClient::connect(config).await.unwrap();
    let mut channel = client.open().await.unwrap();
    let reply = AdminReply {
        request: 1,
        result: Ok(vec![0; 900_000].into()),
    };
    assert!(echo.sink().send(&[reply.encode().unwrap()]));
    let closing = node.close(Duration::ZERO);
    let receiving = async {
        loop {
            if let Err(error) = channel.receiver.recv().await {
                return error.to_string();
            }
        }
    };
    let (error, ()) = within("the end", async { tokio::join!(receiving, closing) }).await;
    assert!(!error.contains("timed out"), "{error}");
}

async fn refusal_of(config: repertoire_transport_quic::ClientConfig) -> String {
    let error = match QuicClient::connect(config).await {
        Err(error) => error,
        Ok(client) => client.open().await.unwrap_err(),
    };
    assert_eq!(*error.kind(), ErrorKind::IdentityRefused, "{error}");
    error
        .context()
        .iter()
        .find(|(name, _)| name == "reason")
        .unwrap()
        .1
        .clone()
}

#[tokio::test]
async fn refusals_name_their_reason() {
    let cluster = Cluster::new("shop");
    let (node, _) = serve(&cluster, false, |_| {}).await;
    let at = node.local_addr().unwrap();
    assert_eq!(
        refusal_of(cluster.client(at, Some(3))).await,
        "other-identity"
    );

    let mut config = cluster.client(at, Some(2));
    config.cluster = Some(ClusterId(1));
    assert_eq!(refusal_of(config).await, "wrong-cluster");

    let mut config = cluster.client(at, Some(2));
    config.tls = cluster.identity(&Identity::Client("unwanted".into()));
    assert_eq!(refusal_of(config).await, "wrong-role");

    let who = Identity::Client("tester".into());
    let issued = cluster
        .authority
        .issue_with(&who, Validity::days(1), Usage::Server)
        .unwrap();
    let mut config = cluster.client(at, Some(2));
    config.tls = cluster.identity_of(&issued.cert_pem, &issued.key_pem);
    assert_eq!(refusal_of(config).await, "wrong-usage");

    let foreign = Cluster::new("shop").authority.issue(&who, 1).unwrap();
    let mut config = cluster.client(at, Some(2));
    config.tls = cluster.identity_of(&foreign.cert_pem, &foreign.key_pem);
    assert_eq!(refusal_of(config).await, "foreign-authority");

    let config = Cluster::new("shop").client(at, Some(2));
    assert_eq!(refusal_of(config).await, "foreign-authority");
    node.close(Duration::ZERO).await;
}

#[tokio::test]
async fn nobody_there_is_no_refusal() {
    let cluster = Cluster::new("shop");
    let mut config = cluster.client(support::free_address(), None);
    config.settings.handshake_timeout = Duration::from_millis(200);
    let error = QuicClient::connect(config).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable);
}
