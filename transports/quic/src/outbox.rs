//! What waits to be written to one stream: bounded by bytes, filled from any thread, drained whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::chunks::Chunks;

#[derive(Debug, Default)]
struct State {
    chunks: Chunks,
    /// Bytes in `chunks` and with the writer.
    waiting: usize,
    refused: bool,
    closed: bool,
    finishing: bool,
}

/// What waits to be written to one stream.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    budget: usize,
}

/// A lock on the outbox, to put in several frames.
pub(crate) struct Filling<'a> {
    outbox: &'a Outbox,
    state: MutexGuard<'a, State>,
    added: bool,
}

impl Outbox {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Notify::new(),
            budget,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to put frames in. The writer wakes up when the filling ends.
    pub(crate) fn fill(&self) -> Filling<'_> {
        Filling {
            outbox: self,
            state: self.lock(),
            added: false,
        }
    }

    /// Waits for something to write and takes all of it. `false`: there will be nothing more.
    pub(crate) async fn drain(&self, into: &mut Vec<Bytes>) -> bool {
        loop {
            let notified = self.wake.notified();
            {
                let mut state = self.lock();
                if state.chunks.take(into) {
                    return true;
                }
                if state.finishing {
                    return false;
                }
            }
            notified.await;
        }
    }

    /// Takes nothing more; the writer finishes what is there.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.finishing = true;
        drop(state);
        self.wake.notify_one();
    }

    /// Notes that `bytes` of what was drained were handed on. `true`: frames had been refused, and
    /// there is room again.
    pub(crate) fn written(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(bytes);
        // Half a budget of room, so that sender and writer do not take turns frame by frame.
        let writable = state.refused && state.waiting <= self.budget / 2;
        if writable {
            state.refused = false;
        }
        writable
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Takes nothing more and forgets what is there.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting = 0;
        state.chunks = Chunks::default();
    }
}

impl Filling<'_> {
    /// Whether `bytes` more fit. `false` also arms the report of room.
    ///
    /// An empty outbox takes any frame, so that a budget below a frame's cap stops nothing.
    pub(crate) fn has_room(&mut self, bytes: usize) -> bool {
        if self.state.closed {
            return false;
        }
        let fits = self.state.waiting == 0 || self.state.waiting + bytes <= self.outbox.budget;
        if !fits {
            self.state.refused = true;
        }
        fits
    }

    /// Puts a frame in. `front` appends everything in front of the body and may refuse to.
    pub(crate) fn put<E>(
        &mut self,
        front: impl FnOnce(&mut BytesMut) -> Result<(), E>,
        body: &Bytes,
    ) -> Result<(), E> {
        self.state.waiting += self.state.chunks.put(front, body)?;
        self.added = true;
        Ok(())
    }
}

impl Filling<'_> {
    /// Puts a frame in that is encoded already.
    pub(crate) fn put_encoded(&mut self, frame: &(Bytes, Bytes)) {
        self.state.waiting += self.state.chunks.put_encoded(frame);
        self.added = true;
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        if self.added {
            self.outbox.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::Outbox;

    fn put(outbox: &Outbox, front: &[u8], body: &Bytes) -> bool {
        let mut filling = outbox.fill();
        if !filling.has_room(front.len() + body.len()) {
            return false;
        }
        let append = |out: &mut bytes::BytesMut| {
            out.extend_from_slice(front);
            Ok::<(), Infallible>(())
        };
        filling.put(append, body).is_ok()
    }

    #[tokio::test]
    async fn small_frames_share_a_chunk_and_large_bodies_are_not_copied() {
        let outbox = Outbox::new(1 << 20);
        let large = Bytes::from(vec![1; 10_000]);
        for body in [
            Bytes::from_static(b"a"),
            Bytes::from_static(b"b"),
            large.clone(),
        ] {
            assert!(put(&outbox, b"head", &body));
        }
        let mut chunks = Vec::new();
        assert!(outbox.drain(&mut chunks).await);
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0], "headaheadbhead");
        assert_eq!(chunks[1].as_ptr(), large.as_ptr());
    }

    #[test]
    fn room_is_reported_once_after_a_refusal() {
        let outbox = Outbox::new(100);
        let body = Bytes::from(vec![0; 60]);
        assert!(put(&outbox, b"", &body));
        assert!(!put(&outbox, b"", &body));
        assert!(!outbox.written(5));
        assert!(outbox.written(30));
        assert!(!outbox.written(25));
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn an_empty_outbox_takes_any_frame() {
        let outbox = Outbox::new(10);
        assert!(put(&outbox, b"", &Bytes::from(vec![0; 60])));
        assert!(!put(&outbox, b"", &Bytes::from_static(b"x")));
    }
}
