//! Ids from a keyspace that are never given twice.

use std::num::NonZeroU32;

use bytes::Bytes;
use repertoire_core::{Error, ErrorKind, ReadLevel, Reservation, SequenceBlock, SequenceId};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::keyspace::Keyspace;

/// Ids from one key of a keyspace, never given twice to anybody: a number with the epoch of the
/// leadership that gave it.
///
/// Numbers are reserved in blocks, one compare-and-set each. Those of a block that are left when the
/// process ends, or whose reservation ends as unknown, are never used. How many copies the keyspace asks
/// for does not matter: a reservation that a failover discards was of another epoch.
///
/// ```no_run
/// # async fn demo(users: repertoire_client::Keyspace) -> Result<(), repertoire_core::Error> {
/// use std::num::NonZeroU32;
///
/// let ids = users.sequence("next-user", NonZeroU32::new(100).unwrap());
/// let id = ids.next().await?;
/// users.put(format!("user-{id}"), "alice").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sequence {
    keyspace: Keyspace,
    key: Bytes,
    block: NonZeroU32,
    reserved: Mutex<Option<SequenceBlock>>,
}

impl Keyspace {
    /// Ids that `key` gives, reserved by so many at a time. See [`Sequence`]; nothing else may write that
    /// key.
    pub fn sequence(&self, key: impl AsRef<[u8]>, block: NonZeroU32) -> Sequence {
        Sequence {
            keyspace: self.clone(),
            key: Bytes::copy_from_slice(key.as_ref()),
            block,
            reserved: Mutex::new(None),
        }
    }
}

impl Sequence {
    /// The next id.
    ///
    /// # Errors
    /// `Malformed` when the key holds something else, `Unsupported` when no numbers are left; `Conflict`
    /// when others were faster until the deadline; those of [`Keyspace::get`] and
    /// [`Keyspace::execute`]. No id is lost twice or given by that; ask again.
    pub async fn next(&self) -> Result<SequenceId, Error> {
        let mut reserved = self.reserved.lock().await;
        loop {
            if let Some(id) = reserved.as_mut().and_then(Iterator::next) {
                return Ok(id);
            }
            *reserved = Some(self.reserve().await?);
        }
    }

    async fn reserve(&self) -> Result<SequenceBlock, Error> {
        let until = Instant::now() + self.keyspace.options().deadline;
        loop {
            let (_, found) = self
                .keyspace
                .level(ReadLevel::Leader)
                .get(&self.key)
                .await?;
            let wanted = Reservation::after(found.as_deref(), self.block)?;
            match self.keyspace.execute(&wanted.operation(&self.key)).await {
                Ok(written) => return Ok(wanted.granted(written.ack.position)),
                Err(error) if *error.kind() == ErrorKind::Conflict && Instant::now() < until => {}
                Err(error) => return Err(error),
            }
        }
    }
}
