//! Frames on their way into a stream, in as few pieces as pays off.

use bytes::{Bytes, BytesMut};

/// Bodies below this size are copied next to their heads: quinn handles few long chunks much
/// faster than many short ones.
const COPY_BELOW: usize = 2048;

/// A run of small frames is cut at this size, so that no reallocation copies megabytes.
const TAIL_MAX: usize = 64 * 1024;

/// Frames on their way into a stream.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    list: Vec<Bytes>,
    tail: BytesMut,
}

impl Chunks {
    /// Appends a frame: `front` writes everything before the body, or refuses and writes nothing.
    /// Returns the bytes added.
    pub(crate) fn put<E>(
        &mut self,
        front: impl FnOnce(&mut BytesMut) -> Result<(), E>,
        body: &Bytes,
    ) -> Result<usize, E> {
        let before = self.tail.len();
        front(&mut self.tail)?;
        let added = self.tail.len() - before + body.len();
        if body.len() < COPY_BELOW {
            self.tail.extend_from_slice(body);
        } else {
            self.seal();
            self.list.push(body.clone());
        }
        if self.tail.len() >= TAIL_MAX {
            self.seal();
        }
        Ok(added)
    }

    /// Appends a frame that is encoded already.
    pub(crate) fn put_encoded(&mut self, (front, body): &(Bytes, Bytes)) -> usize {
        let append = |out: &mut BytesMut| {
            out.extend_from_slice(front);
            Ok::<(), std::convert::Infallible>(())
        };
        self.put(append, body).unwrap_or_default()
    }

    /// Moves everything into `into`, which is empty. `false`: there is nothing.
    pub(crate) fn take(&mut self, into: &mut Vec<Bytes>) -> bool {
        self.seal();
        std::mem::swap(&mut self.list, into);
        !into.is_empty()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.list.push(self.tail.split().freeze());
        }
    }
}
