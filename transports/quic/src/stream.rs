//! Frames over one quinn stream.

use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use repertoire_wire::FrameSplitter;
use repertoire_wire::hello::RefusalReason;

use crate::outbox::Outbox;
use crate::refusal::LinkEnd;

/// Chunks taken from quinn at once; each is at most one packet.
const CHUNKS: usize = 256;

/// Reads frames from a stream.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: RecvStream,
    splitter: FrameSplitter,
    chunks: Vec<Bytes>,
    rest: Bytes,
}

impl FrameReader {
    /// A reader of frames whose parts have at most `max` bytes.
    pub(crate) fn new(stream: RecvStream, max: usize) -> Self {
        Self {
            stream,
            splitter: FrameSplitter::new(max),
            chunks: vec![Bytes::new(); CHUNKS],
            rest: Bytes::new(),
        }
    }

    /// Goes on with another cap. Only between frames.
    pub(crate) fn set_max(&mut self, max: usize) {
        self.splitter = FrameSplitter::new(max);
    }

    /// Reads nothing more and tells the other side.
    pub(crate) fn stop(&mut self, code: quinn::VarInt) {
        // Fails only for streams that have ended by themselves.
        let _stopped = self.stream.stop(code);
    }

    /// Reads exactly one frame; what follows it stays unread.
    pub(crate) async fn one(&mut self) -> Result<Bytes, LinkEnd> {
        loop {
            if let Some(frame) = self.splitter.next(&mut self.rest)? {
                return Ok(frame);
            }
            let Some(chunk) = self.stream.read_chunk(64 * 1024, true).await? else {
                let detail = "the stream ended before its first frame";
                return Err(LinkEnd::refused(RefusalReason::Malformed, detail));
            };
            self.rest = chunk.bytes;
        }
    }

    /// Reads what has come, and waits if nothing has. Returns the bytes read; `None`: the stream
    /// has ended.
    pub(crate) async fn batch(&mut self, out: &mut Vec<Bytes>) -> Result<Option<usize>, LinkEnd> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            let bytes = rest.len();
            self.splitter.push(rest, out)?;
            return Ok(Some(bytes));
        }
        let Some(count) = self.stream.read_chunks(&mut self.chunks).await? else {
            if self.splitter.is_at_boundary() {
                return Ok(None);
            }
            let detail = "the stream ended inside a frame";
            return Err(LinkEnd::refused(RefusalReason::Malformed, detail));
        };
        let mut bytes = 0;
        for chunk in self.chunks.iter_mut().take(count) {
            let chunk = std::mem::take(chunk);
            bytes += chunk.len();
            self.splitter.push(chunk, out)?;
        }
        Ok(Some(bytes))
    }
}

/// Writes an outbox to a stream until it is finished, then waits until all of it has arrived.
/// `on_written` is told of every step; its flag says that refused frames would fit again.
pub(crate) async fn write_outbox(
    stream: &mut SendStream,
    outbox: &Outbox,
    mut on_written: impl FnMut(usize, bool),
) -> Result<(), LinkEnd> {
    let mut chunks = Vec::new();
    while outbox.drain(&mut chunks).await {
        let mut left = chunks.as_mut_slice();
        while !left.is_empty() {
            let written = stream.write_chunks(left).await?;
            left = left.get_mut(written.chunks..).unwrap_or_default();
            on_written(written.bytes, outbox.written(written.bytes));
        }
        chunks.clear();
    }
    // An error here means that the stream was finished or stopped already.
    if stream.finish().is_ok() {
        let _acknowledged = stream.stopped().await;
    }
    Ok(())
}
