//! Connections over QUIC.

use bytes::Bytes;
use repertoire_core::{Error, ErrorKind};
use repertoire_transport_quic::{FrameReceiver, FrameSender, Pulse, QuicClient};
use repertoire_wire::client::{ClientReply, ReadsBuilder, ReadsHead, WritesBuilder, WritesHead};
use repertoire_wire::hello::Speaker;
use tokio::time::Instant;

use crate::link::{
    Arrival, Beats, Connected, Inbound, Outbound, Parcel, ReadParcel, Task, WriteParcel,
};
use crate::trace;

/// Connects, opens a session and learns who is there.
pub(crate) async fn connect(
    config: repertoire_transport_quic::ClientConfig,
) -> Result<Connected, Error> {
    let client = QuicClient::connect(config).await?;
    let channel = client.open().await?;
    let Speaker::Node { id, .. } = channel.node.speaker else {
        return Err(Error::new(ErrorKind::IdentityRefused, "connect")
            .with("detail", "a client answered where a node was expected"));
    };
    Ok(Connected {
        node: id,
        pulse: Some(Box::new(client.pulse())),
        credit: usize::try_from(channel.credit).unwrap_or(usize::MAX),
        outbound: Box::new(ToNode {
            sender: channel.sender,
            frames: Vec::new(),
        }),
        inbound: Box::new(FromNode {
            receiver: channel.receiver,
            _client: client,
        }),
    })
}

impl Beats for Pulse {
    fn beats(&mut self) -> bool {
        Self::beats(self)
    }
}

struct ToNode {
    sender: FrameSender,
    frames: Vec<(Bytes, Bytes)>,
}

impl Outbound for ToNode {
    fn send(&mut self, burst: Vec<Parcel>) -> Task<'_, Result<(), Error>> {
        Box::pin(async move {
            self.frames.clear();
            for parcel in burst {
                match parcel {
                    Parcel::Writes(writes) => put_writes(&writes, &mut self.frames)?,
                    Parcel::Reads(reads) => put_reads(&reads, &mut self.frames)?,
                    Parcel::Admin(request) => {
                        self.frames
                            .push(request.encode().map_err(|e| unencodable(&e))?);
                    }
                }
            }
            self.sender.send(&self.frames).await
        })
    }
}

/// Cuts writes into as few frames as they fit in.
fn put_writes(parcel: &WriteParcel, frames: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
    let head = |sent: u64| WritesHead {
        first_request: parcel.first_request + sent,
        client: parcel.client,
        first_seq: parcel.first_seq + sent,
        acked_upto: parcel.acked_upto,
        acks: parcel.acks,
        deadline_ms: millis(parcel.deadline),
        count: 0,
    };
    let begin = |sent| {
        WritesBuilder::new(parcel.group, parcel.config_epoch, head(sent))
            .in_trace(trace::context(&parcel.trace))
    };
    let mut builder = begin(0);
    for (sent, body) in (0..).zip(&parcel.bodies) {
        if !builder.push(body) {
            frames.push(builder.finish().map_err(|e| unencodable(&e))?);
            builder = begin(sent);
            // Operations above the cap were refused when they were submitted.
            let _fits = builder.push(body);
        }
    }
    frames.push(builder.finish().map_err(|e| unencodable(&e))?);
    Ok(())
}

fn put_reads(parcel: &ReadParcel, frames: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
    let begin = |sent: u64| {
        let head = ReadsHead {
            first_request: parcel.first_request + sent,
            deadline_ms: millis(parcel.deadline),
            count: 0,
        };
        ReadsBuilder::new(parcel.group, parcel.config_epoch, head, &parcel.level)
            .in_trace(trace::context(&parcel.trace))
    };
    let mut builder = begin(0);
    for (sent, query) in (0..).zip(&parcel.queries) {
        if !builder.push(query) {
            frames.push(builder.finish().map_err(|e| unencodable(&e))?);
            builder = begin(sent);
            // Keys above the cap were refused when they were submitted.
            let _fits = builder.push(query);
        }
    }
    frames.push(builder.finish().map_err(|e| unencodable(&e))?);
    Ok(())
}

struct FromNode {
    receiver: FrameReceiver,
    /// The connection lives as long as somebody receives.
    _client: QuicClient,
}

impl Inbound for FromNode {
    fn receive<'a>(&'a mut self, into: &'a mut Vec<Arrival>) -> Task<'a, Result<(), Error>> {
        Box::pin(async move {
            for frame in self.receiver.recv().await? {
                match ClientReply::decode(frame).map_err(|e| undecodable(&e))? {
                    ClientReply::Replies(replies) => {
                        for item in replies.items() {
                            into.push(Arrival::Item(item.map_err(|e| undecodable(&e))?));
                        }
                    }
                    ClientReply::Admin(reply) => into.push(Arrival::Admin(reply)),
                    ClientReply::Unknown { kind } => {
                        tracing::debug!(kind, "A frame of an unknown kind was skipped");
                    }
                }
            }
            Ok(())
        })
    }
}

fn millis(deadline: Instant) -> u32 {
    let left = deadline.saturating_duration_since(Instant::now());
    u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
}

fn unencodable(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unexpected, "encode requests").with("detail", error)
}

fn undecodable(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Malformed, "decode replies").with("detail", error)
}
