//! The life of a link: three streams out, three streams in, one end.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{Connection, RecvStream, VarInt};
use repertoire_core::{Class, Delivery, LinkEvent, NodeId};
use repertoire_wire::hello::{HELLO_FRAME_MAX, Hello, RefusalReason, StreamHello};
use repertoire_wire::{FIXED_LEN, Frame, FrameKind, WireError, frame_max};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};

use crate::counters::add;
use crate::endpoint::widen_for_peer;
use crate::handshake::late;
use crate::inner::Inner;
use crate::peer::{Link, Peer};
use crate::pulse::Pulse;
use crate::refusal::LinkEnd;
use crate::stream::{FrameReader, write_outbox};

/// A peer is asked this many times for a sign of life before it counts as silent.
const SILENT_TICKS: u32 = 3;

/// quinn sends streams of higher priority first.
const fn priority(class: Class) -> i32 {
    match class {
        Class::Control => 2,
        Class::Replication => 1,
        Class::Bulk => 0,
    }
}

/// Runs a verified connection until it ends, and says why it did. The caller holds the peer's turn.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    peer: &Arc<Peer>,
    connection: Connection,
    hello: Hello,
) -> LinkEnd {
    let settings = &inner.config.settings;
    widen_for_peer(&connection, settings);
    let link = Arc::new(Link::new(connection.clone(), hello, settings.outbox));
    peer.set_link(Some(link.clone()));
    add(&inner.counters.links_up, 1);
    tracing::info!(peer = %peer.id, address = %connection.remote_address(), "link up");
    inner.tell(LinkEvent::Up { peer: peer.id });

    let mut tasks = JoinSet::new();
    for class in Class::ALL {
        tasks.spawn(write(inner.clone(), link.clone(), peer.id, class));
    }
    let listener = tokio::spawn(listen(inner.clone(), connection.clone(), peer.id));
    let mut readers = JoinSet::new();
    readers.spawn(accept_streams(inner.clone(), link.clone(), peer.id));
    let end = wait(inner, peer, &link, &mut tasks, &mut readers).await;

    peer.set_link(None);
    link.abandon();
    listener.abort();
    end.close(&connection);
    tasks.shutdown().await;
    readers.shutdown().await;
    inner.hear(peer.id, &end);
    inner.report(&peer.id, &end);
    tracing::info!(peer = %peer.id, %end, "link down");
    inner.tell(LinkEvent::Down {
        peer: peer.id,
        reason: end.to_string(),
    });
    end
}

type Outcomes = JoinSet<Result<(), LinkEnd>>;

async fn wait(
    inner: &Inner,
    peer: &Peer,
    link: &Link,
    writers: &mut Outcomes,
    readers: &mut Outcomes,
) -> LinkEnd {
    let mut closing = inner.closing.subscribe();
    let mut removed = peer.removed.subscribe();
    let mut is_finishing = false;
    loop {
        tokio::select! {
            reason = link.connection.closed() => return reason.into(),
            outcome = writers.join_next() => match outcome {
                None => return LinkEnd::refused(RefusalReason::ShuttingDown, "shutting down"),
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(end))) => return end,
                Some(Err(error)) => return LinkEnd::lost(error),
            },
            Some(outcome) = readers.join_next() => match outcome {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(error) => return LinkEnd::lost(error),
            },
            _ = closing.wait_for(|closing| *closing), if !is_finishing => {
                is_finishing = true;
                link.finish();
            }
            _ = removed.wait_for(|removed| *removed) => {
                return LinkEnd::refused(RefusalReason::NotAMember, "removed from the cluster");
            }
        }
    }
}

async fn write(
    inner: Arc<Inner>,
    link: Arc<Link>,
    peer: NodeId,
    class: Class,
) -> Result<(), LinkEnd> {
    let mut stream = link.connection.open_uni().await?;
    // Fails only for streams that are closed; writing reports that.
    let _set = stream.set_priority(priority(class));
    stream.write_chunk(StreamHello { class }.encode()).await?;
    write_outbox(&mut stream, link.outbox(class), |bytes, writable| {
        add(&inner.counters.bytes_sent, bytes);
        if writable {
            inner.tell(LinkEvent::Writable { peer });
        }
    })
    .await
}

/// Says when the peer has fallen silent: long before the connection times out, and once.
async fn listen(inner: Arc<Inner>, connection: Connection, peer: NodeId) {
    let mut pulse = Pulse::of(connection);
    let mut ticks = tokio::time::interval(inner.config.settings.silence / SILENT_TICKS);
    // A machine that stood still itself has heard nobody: that says nothing of the peer.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        ticks.tick().await;
        if pulse.beats() {
            missed = 0;
            continue;
        }
        missed += 1;
        if missed == SILENT_TICKS {
            tracing::debug!(%peer, "The peer is silent");
            inner.tell(LinkEvent::Silent { peer });
        }
    }
}

async fn accept_streams(inner: Arc<Inner>, link: Arc<Link>, peer: NodeId) -> Result<(), LinkEnd> {
    let mut readers: Outcomes = JoinSet::new();
    let mut seen = [false; 3];
    loop {
        tokio::select! {
            stream = link.connection.accept_uni() => {
                let stream = stream?;
                let Some((class, reader)) = open(&inner, stream).await? else {
                    continue;
                };
                let first = seen.get_mut(class as usize);
                if first.is_none_or(|seen| std::mem::replace(seen, true)) {
                    let detail = "two streams of one class";
                    return Err(LinkEnd::refused(RefusalReason::Malformed, detail));
                }
                readers.spawn(read(inner.clone(), link.clone(), peer, class, reader));
            }
            Some(outcome) = readers.join_next() => match outcome {
                Ok(outcome) => outcome?,
                Err(error) => return Err(LinkEnd::lost(error)),
            },
        }
    }
}

/// Reads the first frame of a stream. Streams of a class that this version does not know are turned
/// away without ending the link.
async fn open(inner: &Inner, stream: RecvStream) -> Result<Option<(Class, FrameReader)>, LinkEnd> {
    let mut reader = FrameReader::new(stream, HELLO_FRAME_MAX);
    let frame = timeout(inner.config.settings.hello_timeout, reader.one())
        .await
        .unwrap_or_else(|_| Err(late("a stream stayed silent")))?;
    let Ok(StreamHello { class }) = StreamHello::decode(frame.clone()) else {
        if Frame::decode(frame, &[])?.envelope.kind == FrameKind::StreamHello {
            add(&inner.counters.frames_skipped, 1);
            reader.stop(VarInt::from(RefusalReason::NoCommonVersion.code()));
            return Ok(None);
        }
        let detail = "a stream began with another frame than its hello";
        return Err(LinkEnd::refused(RefusalReason::Malformed, detail));
    };
    reader.set_max(frame_max(class));
    Ok(Some((class, reader)))
}

async fn read(
    inner: Arc<Inner>,
    link: Arc<Link>,
    peer: NodeId,
    class: Class,
    mut reader: FrameReader,
) -> Result<(), LinkEnd> {
    let mut frames = Vec::new();
    loop {
        let seen = link.gate.open(class).await;
        let Some(bytes) = reader.batch(&mut frames).await? else {
            return Ok(());
        };
        add(&inner.counters.bytes_received, bytes);
        let mut whole = Vec::with_capacity(frames.len());
        for frame in frames.drain(..) {
            if check(&frame)? {
                whole.push(frame);
            } else {
                add(&inner.counters.frames_skipped, 1);
            }
        }
        if whole.is_empty() {
            continue;
        }
        add(&inner.counters.frames_received, whole.len());
        let delivery = Delivery {
            from: peer,
            class,
            frames: whole,
        };
        if let Some(sink) = inner.sink.get()
            && !sink.deliver(delivery)
        {
            link.gate.pause(class, seen);
        }
    }
}

/// Whether a frame is one between replicas. Looks at the envelope alone: the head is its reader's.
fn check(frame: &Bytes) -> Result<bool, WireError> {
    debug_assert!(
        frame.len() >= FIXED_LEN,
        "the splitter refuses shorter frames"
    );
    let frame = Frame::decode(frame.clone(), &[])?;
    let kind = frame.envelope.kind;
    if matches!(kind, FrameKind::Peer | FrameKind::Snapshot) {
        return Ok(true);
    }
    if matches!(kind, FrameKind::Unknown(_)) {
        return Ok(false);
    }
    Err(WireError::UnexpectedKind {
        kind: kind.to_byte(),
    })
}
