//! A shard takes no keys that another one owns: nobody would find them there.

use super::Pipeline;
use crate::{Error, ErrorKind, Operation};

impl Pipeline {
    /// Refuses an operation that names a key of another shard.
    pub(super) fn check_owner(&self, operation: &Operation<'_>) -> Result<(), Error> {
        let Some(slots) = &self.slots else {
            return Ok(());
        };
        if slots
            .owner(operation)?
            .is_none_or(|it| it == self.group.shard)
        {
            return Ok(());
        }
        let mut foreign = Ok(());
        operation.visit_keys(&mut |key| {
            if foreign.is_ok() {
                foreign = self.check_key(key);
            }
        });
        foreign
    }

    /// Refuses a key of another shard.
    pub(super) fn check_key(&self, key: &[u8]) -> Result<(), Error> {
        let owner = self.slots.as_ref().map(|slots| slots.shard_of(key));
        match owner.filter(|owner| *owner != self.group.shard) {
            Some(owner) => Err(Error::new(ErrorKind::Unsupported, "write")
                .with("key", String::from_utf8_lossy(key))
                .with("owner", owner)
                .with(
                    "remedy",
                    "send it to the owner; for a function, keep the keys of its read set together \
                     with a {tag} and name that tag in the call",
                )),
            None => Ok(()),
        }
    }
}
