//! The client's side: one connection, sessions on it, frames in both directions.

use bytes::Bytes;
use quinn::{Connection, Endpoint, SendStream, VarInt};
use repertoire_core::limits::DATA_FRAME_MAX;
use repertoire_core::{ClusterId, Error, ErrorKind, Incarnation, NodeId};
use repertoire_wire::BoundedStr;
use repertoire_wire::hello::{HELLO_FRAME_MAX, Hello, HelloReply, RefusalReason, Speaker};
use tokio::time::timeout;

use crate::certs::{Identity, TlsIdentity};
use crate::chunks::Chunks;
use crate::congestion::{Uncork, uncork};
use crate::endpoint::{dialling, open_client};
use crate::handshake::{certificate, check_claim, late, welcomed};
use crate::pulse::Pulse;
use crate::refusal::LinkEnd;
use crate::settings::QuicSettings;
use crate::stream::FrameReader;
use crate::tls::ALPN_CLIENT;

/// Whom to connect to, and as whom.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `host:port` of a node.
    pub address: String,
    /// The client's certificates and key. Their cluster is the one that is accepted.
    pub tls: TlsIdentity,
    /// The node that is expected there; nothing accepts any node of the cluster.
    pub expected: Option<NodeId>,
    /// The cluster's identity, once it is known.
    pub cluster: Option<ClusterId>,
    /// Limits and times.
    pub settings: QuicSettings,
}

/// A connection to a node, verified on both sides.
#[derive(Debug)]
pub struct QuicClient {
    endpoint: Endpoint,
    connection: Connection,
    config: ClientConfig,
}

impl QuicClient {
    /// Connects.
    ///
    /// # Errors
    /// `Unavailable` when nobody answers, `IdentityRefused` (with a `reason`) when one side does
    /// not accept the other, `ConfigInvalid` when the certificates do not serve.
    pub async fn connect(config: ClientConfig) -> Result<Self, Error> {
        let unreachable = |detail: String| LinkEnd::lost(detail).into_error("connect");
        let address = tokio::net::lookup_host(&config.address)
            .await
            .map_err(|e| unreachable(format!("{}: {e}", config.address)))?
            .next()
            .ok_or_else(|| unreachable(format!("{} has no address", config.address)))?;
        let settings = &config.settings;
        let endpoint = open_client(address, settings)?;
        let client = dialling(
            &config.tls,
            config.expected,
            ALPN_CLIENT,
            settings,
            &Uncork::default(),
        )?;
        // The verifier knows whom to expect; the name only has to be one.
        let name = config.expected.map_or_else(
            || format!("any.{}.repertoire", config.tls.cluster()),
            |id| Identity::Node(id).dns_name(config.tls.cluster()),
        );
        let connecting = endpoint
            .connect_with(client, address, &name)
            .map_err(|e| LinkEnd::lost(e).into_error("connect"))?;
        let connection = timeout(settings.handshake_timeout, connecting)
            .await
            .map_err(|_| unreachable(format!("{} did not answer in time", config.address)))?
            .map_err(|e| LinkEnd::from(e).into_error("connect"))?;
        Ok(Self {
            endpoint,
            connection,
            config,
        })
    }

    /// Opens a session.
    ///
    /// # Errors
    /// As [`connect`](Self::connect): the node looks at the client's certificate only now.
    pub async fn open(&self) -> Result<ClientChannel, Error> {
        let opening = timeout(self.config.settings.hello_timeout, self.begin()).await;
        let end = match opening {
            Ok(Ok(channel)) => return Ok(channel),
            Ok(Err(end)) => end,
            Err(_) => late("the node did not answer the hello in time"),
        };
        // The refusal itself comes as the end of the connection, the stream only breaks.
        let end = self.connection.close_reason().map_or(end, LinkEnd::from);
        Err(end.into_error("open a session"))
    }

    async fn begin(&self) -> Result<ClientChannel, LinkEnd> {
        let hello = self.hello()?;
        let (mut send, recv) = self.connection.open_bi().await?;
        send.write_chunk(hello.encode()).await?;
        let mut reader = FrameReader::new(recv, HELLO_FRAME_MAX);
        let reply = HelloReply::decode(reader.one().await?)?;
        let (node, credit) = welcomed(reply)?;
        let certificate = certificate(&self.connection)?;
        let claimed = check_claim(&certificate, &node, self.config.tls.cluster())?;
        let is_wrong = match (&claimed, self.config.expected) {
            (Identity::Node(id), Some(expected)) => *id != expected,
            (Identity::Node(_), None) => false,
            (Identity::Client(_), _) => true,
        };
        if is_wrong {
            let detail = format!("found {claimed}");
            return Err(LinkEnd::refused(RefusalReason::OtherIdentity, detail));
        }
        if let (Some(ours), Some(theirs)) = (self.config.cluster, node.cluster)
            && ours != theirs
        {
            let detail = format!("found {theirs}");
            return Err(LinkEnd::refused(RefusalReason::WrongCluster, detail));
        }
        reader.set_max(DATA_FRAME_MAX);
        Ok(ClientChannel {
            node,
            credit,
            sender: FrameSender {
                stream: send,
                chunks: Chunks::default(),
            },
            receiver: FrameReceiver { reader },
        })
    }

    fn hello(&self) -> Result<Hello, LinkEnd> {
        let speaker = match self.config.tls.identity() {
            Identity::Client(name) => Speaker::Client {
                name: BoundedStr::new(name)
                    .ok_or_else(|| LinkEnd::lost("the client's name is too long"))?,
            },
            // A node that passes requests on; its disk has no say in that.
            Identity::Node(id) => Speaker::Node {
                id: *id,
                incarnation: Incarnation::default(),
            },
        };
        Ok(Hello::new(self.config.cluster, speaker))
    }

    /// Tells whether the node is still there.
    pub fn pulse(&self) -> Pulse {
        Pulse::of(self.connection.clone())
    }

    /// Waits until the connection ends, and says why.
    pub async fn closed(&self) -> Error {
        LinkEnd::from(self.connection.closed().await).into_error("keep the connection")
    }

    /// Ends the connection and waits until the node knows.
    pub async fn close(self) {
        uncork(&self.connection);
        self.connection.close(VarInt::from(0_u8), b"done");
        self.endpoint.wait_idle().await;
    }
}

/// A session: whole frames in both directions.
#[derive(Debug)]
pub struct ClientChannel {
    /// What the node said of itself.
    pub node: Hello,
    /// Bytes of request frames that may be under way.
    pub credit: u32,
    /// To the node.
    pub sender: FrameSender,
    /// From the node.
    pub receiver: FrameReceiver,
}

/// Sends frames to the node.
#[derive(Debug)]
pub struct FrameSender {
    stream: SendStream,
    chunks: Chunks,
}

impl FrameSender {
    /// Sends frames (front and body); waits while the node does not take more.
    ///
    /// # Errors
    /// `Unavailable` or `IdentityRefused` when the session has ended.
    pub async fn send(&mut self, frames: &[(Bytes, Bytes)]) -> Result<(), Error> {
        for frame in frames {
            self.chunks.put_encoded(frame);
        }
        let mut chunks = Vec::new();
        if self.chunks.take(&mut chunks) {
            let sent = self.stream.write_all_chunks(&mut chunks).await;
            sent.map_err(|e| LinkEnd::from(e).into_error("send"))?;
        }
        Ok(())
    }

    /// Ends the session.
    pub fn finish(&mut self) {
        // Fails only when it has ended already.
        let _finished = self.stream.finish();
    }
}

/// Receives frames from the node.
#[derive(Debug)]
pub struct FrameReceiver {
    reader: FrameReader,
}

impl FrameReceiver {
    /// Waits for frames; see `repertoire_wire::client::ClientReply::decode`.
    ///
    /// # Errors
    /// `Unavailable` or `IdentityRefused` when the session has ended, `Malformed` when the node
    /// sends what is no frame.
    pub async fn recv(&mut self) -> Result<Vec<Bytes>, Error> {
        let mut frames = Vec::new();
        while frames.is_empty() {
            match self.reader.batch(&mut frames).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    return Err(Error::new(ErrorKind::Unavailable, "receive")
                        .with("detail", "the node has ended the session"));
                }
                Err(end) => return Err(end.into_error("receive")),
            }
        }
        Ok(frames)
    }
}
