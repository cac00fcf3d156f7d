//! Every way to be refused has its own reason, on the side that refuses and on the other one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use repertoire_conformance::transport::Recorder;
use repertoire_core::{ClusterId, Incarnation, NodeId, Transport as _};
use repertoire_transport_quic::certs::{Identity, TlsIdentity, Usage, Validity};
use repertoire_transport_quic::{QuicConfig, QuicTransport, RefusalReason};
use repertoire_wire::BoundedStr;
use repertoire_wire::hello::{Hello, Speaker, VersionRange};
use support::raw::{CLIENT, PEER, Stranger, closed_for, say};
use support::{Cluster, counted, start, transport, within};

const DAY: Duration = Duration::from_hours(24);

fn node(id: u64) -> Identity {
    Identity::Node(NodeId(id))
}

/// Node 2, and the configuration with which node 1 would be let in.
async fn target(cluster: &Cluster) -> (QuicTransport, QuicConfig) {
    let mut configs = cluster.configs(2, |settings| {
        settings.hello_timeout = Duration::from_millis(300);
    });
    let second = configs.pop().unwrap();
    (start(second).await.0, configs.pop().unwrap())
}

/// Node 1 dials node 2 in vain: both sides know the reason.
async fn refused(
    dialler: QuicConfig,
    target: &QuicTransport,
    reason: RefusalReason,
    by_dialler: bool,
) {
    let (dialler, sink) = start(dialler).await;
    let text = format!("refused, {reason}:");
    sink.until(&text, |seen| {
        seen.downs.iter().any(|(_, down)| down.starts_with(&text))
    })
    .await;
    counted(&dialler, reason).await;
    if !by_dialler {
        counted(target, reason).await;
    }
    assert!(sink.seen().up.is_empty());
    dialler.close(Duration::ZERO).await;
    target.close(Duration::ZERO).await;
}

async fn refused_with(tls: impl FnOnce(&Cluster) -> TlsIdentity, reason: RefusalReason) {
    let cluster = Cluster::new("shop");
    let (target, mut dialler) = target(&cluster).await;
    dialler.tls = tls(&cluster);
    refused(dialler, &target, reason, false).await;
}

fn special(cluster: &Cluster, validity: Validity, usage: Usage) -> TlsIdentity {
    let issued = cluster
        .authority
        .issue_with(&node(1), validity, usage)
        .unwrap();
    cluster.identity_of(&issued.cert_pem, &issued.key_pem)
}

#[tokio::test]
async fn a_foreign_authority() {
    let tls = |cluster: &Cluster| {
        let issued = Cluster::new("shop").authority.issue(&node(1), 1).unwrap();
        cluster.identity_of(&issued.cert_pem, &issued.key_pem)
    };
    refused_with(tls, RefusalReason::ForeignAuthority).await;
}

#[tokio::test]
async fn an_expired_certificate() {
    let now = SystemTime::now();
    let validity = Validity {
        not_before: now - 2 * DAY,
        not_after: now - DAY,
    };
    refused_with(
        |c| special(c, validity, Usage::Both),
        RefusalReason::Expired,
    )
    .await;
}

#[tokio::test]
async fn a_certificate_of_tomorrow() {
    let now = SystemTime::now();
    let validity = Validity {
        not_before: now + DAY,
        not_after: now + 2 * DAY,
    };
    refused_with(
        |c| special(c, validity, Usage::Both),
        RefusalReason::NotYetValid,
    )
    .await;
}

#[tokio::test]
async fn a_certificate_for_the_other_end() {
    let tls = |c: &Cluster| special(c, Validity::days(1), Usage::Server);
    refused_with(tls, RefusalReason::WrongUsage).await;
}

#[tokio::test]
async fn a_certificate_for_the_dialling_end_at_the_other() {
    let cluster = Cluster::new("shop");
    let mut configs = cluster.configs(2, |_| {});
    let validity = Validity::days(1);
    let issued = cluster
        .authority
        .issue_with(&node(2), validity, Usage::Client)
        .unwrap();
    configs[1].tls = cluster.identity_of(&issued.cert_pem, &issued.key_pem);
    let (target, _) = start(configs.pop().unwrap()).await;
    refused(
        configs.pop().unwrap(),
        &target,
        RefusalReason::WrongUsage,
        true,
    )
    .await;
}

#[tokio::test]
async fn another_node_at_the_expected_address() {
    let cluster = Cluster::new("shop");
    let at = support::free_address();
    let (third, _) = start(cluster.config(3, at, &[])).await;
    let dialler = cluster.config(1, support::free_address(), &[(2, at)]);
    refused(dialler, &third, RefusalReason::OtherIdentity, true).await;
}

#[tokio::test]
async fn another_cluster_of_the_same_authority() {
    let cluster = Cluster::new("shop");
    let (target, mut dialler) = target(&cluster).await;
    dialler.cluster = ClusterId(1);
    refused(dialler, &target, RefusalReason::WrongCluster, false).await;
}

#[tokio::test]
async fn a_node_that_is_no_member() {
    let cluster = Cluster::new("shop");
    let (target, dialler) = target(&cluster).await;
    target.remove_peer(NodeId(1));
    refused(dialler, &target, RefusalReason::NotAMember, false).await;
}

#[tokio::test]
async fn another_configuration() {
    let cluster = Cluster::new("shop");
    let mut configs = cluster.configs(2, |_| {});
    configs[0].config_digest = Some(1);
    configs[1].config_digest = Some(2);
    let (target, _) = start(configs.pop().unwrap()).await;
    refused(
        configs.pop().unwrap(),
        &target,
        RefusalReason::ConfigMismatch,
        false,
    )
    .await;
}

#[tokio::test]
async fn a_second_disk_of_a_connected_node() {
    let cluster = Cluster::new("shop");
    let (target, first) = target(&cluster).await;
    let mut second = first.clone();
    second.incarnation = Incarnation(999);
    second.listen = support::free_address();
    let (first, sink) = start(first).await;
    sink.until("the first disk's link", |seen| seen.up == [NodeId(2)])
        .await;
    let (second, refused) = start(second).await;
    let is_refused = |seen: &repertoire_conformance::transport::Seen| {
        seen.downs
            .iter()
            .any(|(_, reason)| reason.starts_with("refused, second-incarnation"))
    };
    refused.until("the second disk's refusal", is_refused).await;
    counted(&target, RefusalReason::SecondIncarnation).await;
    assert!(sink.seen().downs.is_empty(), "the first disk lost its link");
    first.close(Duration::ZERO).await;
    // Once the first one is gone, the second one is let in.
    refused.until("a link", |seen| seen.up == [NodeId(2)]).await;
    second.close(Duration::ZERO).await;
}

/// What a stranger with a certificate for `who` hears after saying `hello`.
async fn stranger(who: Option<&Identity>, alpn: &[u8], hello: Option<Bytes>) -> RefusalReason {
    let cluster = Cluster::new("shop");
    let (target, _) = target(&cluster).await;
    let issued = who.map(|who| cluster.authority.issue(who, 1).unwrap());
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: issued.as_ref(),
        alpn,
    };
    let at = target.local_addr().unwrap();
    let (_endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
    let connection = connection.unwrap();
    let _stream = match hello {
        Some(hello) => Some(say(&connection, hello).await),
        None => None,
    };
    let reason = within("the refusal", closed_for(&connection)).await;
    counted(&target, reason).await;
    reason
}

fn hello_of(speaker: Speaker) -> Hello {
    Hello::new(Some(ClusterId(77)), speaker)
}

fn as_node(id: u64) -> Hello {
    hello_of(Speaker::Node {
        id: NodeId(id),
        incarnation: Incarnation(1),
    })
}

#[tokio::test]
async fn no_certificate() {
    let cluster = Cluster::new("shop");
    let (target, _) = target(&cluster).await;
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: None,
        alpn: PEER,
    };
    let at = target.local_addr().unwrap();
    let (_endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
    if let Ok(connection) = connection {
        within("the refusal", connection.closed()).await;
    }
    counted(&target, RefusalReason::NoCertificate).await;
}

#[tokio::test]
async fn a_certificate_of_another_node() {
    let claims = as_node(1).encode();
    let reason = stranger(Some(&node(3)), PEER, Some(claims)).await;
    assert_eq!(reason, RefusalReason::HelloMismatch);
}

#[tokio::test]
async fn a_client_among_nodes() {
    let client = Identity::Client("batch".into());
    let speaker = Speaker::Client {
        name: BoundedStr::new("batch").unwrap(),
    };
    let honest = hello_of(speaker).encode();
    assert_eq!(
        stranger(Some(&client), PEER, Some(honest)).await,
        RefusalReason::WrongRole
    );
    let lie = as_node(1).encode();
    assert_eq!(
        stranger(Some(&client), PEER, Some(lie)).await,
        RefusalReason::HelloMismatch
    );
}

#[tokio::test]
async fn a_client_where_none_are_served() {
    let client = Identity::Client("batch".into());
    assert_eq!(
        stranger(Some(&client), CLIENT, None).await,
        RefusalReason::WrongRole
    );
}

#[tokio::test]
async fn a_node_that_should_have_waited() {
    let cluster = Cluster::new("shop");
    let third = support::free_address();
    let (target, _) = start(cluster.config(2, support::free_address(), &[(3, third)])).await;
    let issued = cluster.authority.issue(&node(3), 1).unwrap();
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: Some(&issued),
        alpn: PEER,
    };
    let at = target.local_addr().unwrap();
    let (_endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
    let connection = connection.unwrap();
    let _stream = say(&connection, as_node(3).encode()).await;
    let reason = within("the refusal", closed_for(&connection)).await;
    assert_eq!(reason, RefusalReason::NotTheDialler);
}

#[tokio::test]
async fn a_version_of_the_far_future() {
    let mut hello = as_node(1);
    hello.versions = VersionRange { min: 7, max: 9 };
    let reason = stranger(Some(&node(1)), PEER, Some(hello.encode())).await;
    assert_eq!(reason, RefusalReason::NoCommonVersion);
}

#[tokio::test]
async fn silence_after_the_handshake() {
    assert_eq!(
        stranger(Some(&node(1)), PEER, None).await,
        RefusalReason::TimedOut
    );
}

#[tokio::test]
async fn bytes_that_are_no_hello() {
    for bytes in [
        Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"),
        Bytes::from(vec![0; 4096]),
        Bytes::from(vec![0xff; 4096]),
    ] {
        let reason = stranger(Some(&node(1)), PEER, Some(bytes)).await;
        assert_eq!(reason, RefusalReason::Malformed);
    }
}

#[tokio::test]
async fn another_protocol() {
    let cluster = Cluster::new("shop");
    let (target, _) = target(&cluster).await;
    let issued = cluster.authority.issue(&node(1), 1).unwrap();
    let stranger = Stranger {
        trusts: cluster.authority.cert_pem(),
        shows: Some(&issued),
        alpn: b"h3",
    };
    let at = target.local_addr().unwrap();
    let (_endpoint, connection) = stranger.connect(at, "node-2.shop.repertoire").await;
    assert!(connection.is_err());
    counted(&target, RefusalReason::NoCommonVersion).await;
}

#[test]
fn a_certificate_for_another_node_is_refused_before_the_start() {
    let cluster = Cluster::new("shop");
    let mut config = cluster.config(1, support::free_address(), &[]);
    config.tls = cluster.identity(&node(2));
    let error = QuicTransport::new(config).unwrap_err();
    assert!(
        error.to_string().contains("issue a certificate for node-1"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken() {
    let cluster = Cluster::new("shop");
    let config = cluster.config(1, support::free_address(), &[]);
    let (first, _) = start(config.clone()).await;
    let second = transport(config).start(Arc::new(Recorder::default())).await;
    assert!(second.unwrap_err().to_string().contains("node.listen"));
    first.close(Duration::ZERO).await;
}

#[tokio::test]
async fn an_address_that_is_let_go_in_time() {
    let cluster = Cluster::new("shop");
    let config = cluster.config(1, support::free_address(), &[]);
    let former = std::net::UdpSocket::bind(config.listen).unwrap();
    let node = transport(config);
    let started = tokio::spawn({
        let node = node.clone();
        async move { node.start(Arc::new(Recorder::default())).await }
    });
    // The node has tried at least once when the address becomes free.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!started.is_finished());
    drop(former);
    started.await.unwrap().unwrap();
    node.close(Duration::ZERO).await;
}
