//! Who is at the other end: certificate, hello, and whether they agree.

use quinn::{Connection, SendStream};
use repertoire_core::{ErrorKind, NodeId};
use repertoire_wire::BoundedStr;
use repertoire_wire::hello::{
    HELLO_FRAME_MAX, Hello, HelloReply, RefusalReason, Speaker, VersionRange,
};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::certs::{Identity, identity_of};
use crate::inner::Inner;
use crate::refusal::LinkEnd;
use crate::stream::FrameReader;
use crate::tls::verify_name;

/// The certificate that the other side has proven to own.
pub(crate) fn certificate(connection: &Connection) -> Result<CertificateDer<'static>, LinkEnd> {
    let chain = connection
        .peer_identity()
        .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    chain
        .and_then(|chain| chain.into_iter().next())
        .ok_or_else(|| LinkEnd::refused(RefusalReason::NoCertificate, "no certificate was shown"))
}

/// Checks that a hello is what the certificate says: the claimed identity is verified by webpki
/// against the certificate, not read out of it.
pub(crate) fn check_claim(
    certificate: &CertificateDer<'_>,
    hello: &Hello,
    cluster: &str,
) -> Result<Identity, LinkEnd> {
    let claimed = match &hello.speaker {
        Speaker::Node { id, .. } => Identity::Node(*id),
        Speaker::Client { name } => Identity::Client(name.as_str().to_owned()),
    };
    if verify_name(certificate, &claimed.dns_name(cluster)) {
        return Ok(claimed);
    }
    let refused = |reason, found: &dyn std::fmt::Display| {
        LinkEnd::refused(
            reason,
            format!("it claims to be {claimed}, its certificate says {found}"),
        )
    };
    match identity_of(certificate) {
        None => Err(refused(RefusalReason::OtherIdentity, &"nothing")),
        Some((found, theirs)) if theirs != cluster => {
            let found = found.dns_name(&theirs);
            Err(refused(RefusalReason::WrongCluster, &found))
        }
        Some((found, _)) => Err(refused(RefusalReason::HelloMismatch, &found)),
    }
}

/// What every hello must satisfy, whoever speaks. Returns the version to speak.
pub(crate) fn check_common(inner: &Inner, hello: &Hello) -> Result<u16, LinkEnd> {
    let version = VersionRange::OURS.common(hello.versions)?;
    let ours = inner.config.cluster;
    if let Some(theirs) = hello.cluster
        && theirs != ours
    {
        let detail = format!("it belongs to {theirs}, this node to {ours}");
        return Err(LinkEnd::refused(RefusalReason::WrongCluster, detail));
    }
    Ok(version)
}

fn check_config(inner: &Inner, hello: &Hello) -> Result<(), LinkEnd> {
    match (inner.config.config_digest, hello.config_digest) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(LinkEnd::refused(
            RefusalReason::ConfigMismatch,
            format!("configuration digest {theirs:016x}, ours is {ours:016x}"),
        )),
        _ => Ok(()),
    }
}

/// Says hello to the node `expected` and checks its answer.
pub(crate) async fn dial(
    inner: &Inner,
    connection: &Connection,
    expected: NodeId,
) -> Result<Hello, LinkEnd> {
    let certificate = certificate(connection)?;
    let exchange = async {
        let (mut send, recv) = connection.open_bi().await?;
        send.write_chunk(inner.hello().encode()).await?;
        let reply = FrameReader::new(recv, HELLO_FRAME_MAX).one().await?;
        Ok::<_, LinkEnd>(HelloReply::decode(reply)?)
    };
    let reply = timeout(inner.config.settings.hello_timeout, exchange)
        .await
        .unwrap_or_else(|_| Err(late("the answer to the hello did not come in time")))?;
    let hello = welcomed(reply)?.0;
    check_common(inner, &hello)?;
    check_config(inner, &hello)?;
    let claimed = check_claim(&certificate, &hello, inner.config.tls.cluster())?;
    if claimed != Identity::Node(expected) {
        let detail = format!("expected {expected}, found {claimed}");
        return Err(LinkEnd::refused(RefusalReason::OtherIdentity, detail));
    }
    meet(inner, &hello)?;
    Ok(hello)
}

/// Refuses a disk that claims a name while another disk of that name is connected, before anybody takes
/// note of it: the one that is connected would be taken for the older disk ever after.
pub(crate) fn refuse_second(inner: &Inner, node: NodeId, hello: &Hello) -> Result<(), LinkEnd> {
    let Some(link) = inner.peer(node).and_then(|peer| peer.link()) else {
        return Ok(());
    };
    let theirs = hello.node().map(|(_, incarnation)| incarnation);
    if link.incarnation() == theirs {
        return Ok(());
    }
    tracing::error!(%node, "two disks claim to be one node");
    let detail = format!("{node} is connected with another disk");
    Err(LinkEnd::refused(RefusalReason::SecondIncarnation, detail))
}

/// Whether the peer's disk is the one that was met before.
fn meet(inner: &Inner, hello: &Hello) -> Result<(), LinkEnd> {
    match (&inner.config.witness, hello.node()) {
        (Some(witness), Some((node, incarnation))) => witness
            .meet(node, incarnation, &hello.lineage)
            .map_err(|error| match error.kind() {
                ErrorKind::IdentityRefused => {
                    let mut context = error.context().iter();
                    let detail = context.find(|(name, _)| name == "detail");
                    let detail = detail.map_or_else(|| error.to_string(), |(_, text)| text.clone());
                    LinkEnd::refused(RefusalReason::NotContinued, detail)
                }
                _ => LinkEnd::lost(error),
            }),
        _ => Ok(()),
    }
}

/// Takes a reply apart: the other side's hello and the credit it grants.
pub(crate) fn welcomed(reply: HelloReply) -> Result<(Hello, u32), LinkEnd> {
    match reply {
        HelloReply::Welcome { hello, credit, .. } => Ok((hello, credit)),
        HelloReply::Refused { code, detail } => Err(LinkEnd::told(code, detail)),
    }
}

/// A hello of a peer, with the stream on which it waits for an answer.
pub(crate) struct PeerHello {
    pub(crate) hello: Hello,
    pub(crate) node: NodeId,
    pub(crate) version: u16,
    answer: SendStream,
}

/// Waits for the hello of whoever dialled and checks it.
pub(crate) async fn accept(inner: &Inner, connection: &Connection) -> Result<PeerHello, LinkEnd> {
    let certificate = certificate(connection)?;
    let exchange = async {
        let (answer, ask) = connection.accept_bi().await?;
        let frame = FrameReader::new(ask, HELLO_FRAME_MAX).one().await?;
        Ok::<_, LinkEnd>((answer, Hello::decode(frame)?))
    };
    let (answer, hello) = timeout(inner.config.settings.hello_timeout, exchange)
        .await
        .unwrap_or_else(|_| Err(late("the hello did not come in time")))?;
    match check_peer(inner, &certificate, &hello) {
        Ok((node, version)) => Ok(PeerHello {
            hello,
            node,
            version,
            answer,
        }),
        Err(end) => Err(refuse(answer, end).await),
    }
}

fn check_peer(
    inner: &Inner,
    certificate: &CertificateDer<'_>,
    hello: &Hello,
) -> Result<(NodeId, u16), LinkEnd> {
    let version = check_common(inner, hello)?;
    check_config(inner, hello)?;
    match check_claim(certificate, hello, inner.config.tls.cluster())? {
        Identity::Node(node) => {
            refuse_second(inner, node, hello)?;
            meet(inner, hello)?;
            Ok((node, version))
        }
        client @ Identity::Client(_) => {
            let detail = format!("{client} is no node");
            Err(LinkEnd::refused(RefusalReason::WrongRole, detail))
        }
    }
}

impl PeerHello {
    /// Lets the peer in.
    pub(crate) async fn welcome(mut self, inner: &Inner) -> Result<(), LinkEnd> {
        let reply = HelloReply::Welcome {
            version: self.version,
            hello: inner.hello(),
            credit: 0,
        };
        self.answer.write_chunk(reply.encode()).await?;
        let _finished = self.answer.finish();
        Ok(())
    }

    /// Tells the peer why it is not let in.
    pub(crate) async fn refuse(self, end: LinkEnd) -> LinkEnd {
        refuse(self.answer, end).await
    }
}

/// Answers a hello with a refusal. The connection's end repeats it, for a peer that is not
/// listening on the stream any more.
pub(crate) async fn refuse(mut answer: SendStream, end: LinkEnd) -> LinkEnd {
    if let Some(reason) = end.refusal {
        let reply = HelloReply::Refused {
            code: reason.code(),
            detail: BoundedStr::truncated(&end.detail),
        };
        let _told = answer.write_chunk(reply.encode()).await;
        let _finished = answer.finish();
    }
    end
}

pub(crate) fn late(detail: &str) -> LinkEnd {
    LinkEnd::refused(RefusalReason::TimedOut, detail)
}
