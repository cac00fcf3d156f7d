//! Reading and changing the contents of keyspace 0.
//!
//! Keys: `keyspace/<number>` holds a descriptor as JSON, `name/<name>` a number, `member/<number>`
//! a member, `cluster` the cluster's identity. A change is a compare-and-set on the old bytes, so
//! two changes of one keyspace never both succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Descriptor, Member};
use crate::{ConfigEpoch, Error, ErrorKind, KeyspaceId, NodeId};

/// An immutable view of the catalogue at some version.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    keyspaces: BTreeMap<KeyspaceId, Arc<Descriptor>>,
    names: BTreeMap<String, KeyspaceId>,
    members: BTreeMap<NodeId, Member>,
}

impl Catalogue {
    /// The key that holds a descriptor.
    pub fn keyspace_key(id: KeyspaceId) -> Vec<u8> {
        format!("keyspace/{:010}", id.0).into_bytes()
    }

    /// The key that holds a member.
    pub fn member_key(node: NodeId) -> Vec<u8> {
        format!("member/{:020}", node.0).into_bytes()
    }

    /// Takes over a row of keyspace 0. Unknown keys are kept for newer versions and ignored here.
    ///
    /// # Errors
    /// `Corrupted` when a known key does not parse.
    pub fn absorb(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let damaged = |e: serde_json::Error| {
            Error::new(ErrorKind::Corrupted, "read the catalogue")
                .with("key", String::from_utf8_lossy(key))
                .with("detail", e)
        };
        if key.starts_with(b"keyspace/") {
            let descriptor: Descriptor = serde_json::from_slice(value).map_err(damaged)?;
            self.insert(descriptor);
        } else if key.starts_with(b"member/") {
            let member: Member = serde_json::from_slice(value).map_err(damaged)?;
            self.members.insert(member.node, member);
        }
        Ok(())
    }

    /// Puts a descriptor in force unless a newer one is.
    pub fn insert(&mut self, descriptor: Descriptor) {
        let known = self.keyspaces.get(&descriptor.id);
        if known.is_none_or(|known| known.config_epoch < descriptor.config_epoch) {
            self.names.insert(descriptor.name.clone(), descriptor.id);
            self.keyspaces.insert(descriptor.id, Arc::new(descriptor));
        }
    }

    /// Adds or replaces a member.
    pub fn insert_member(&mut self, member: Member) {
        self.members.insert(member.node, member);
    }

    /// A keyspace by number.
    ///
    /// # Errors
    /// `UnknownKeyspace`.
    pub fn keyspace(&self, id: KeyspaceId) -> Result<&Arc<Descriptor>, Error> {
        let unknown =
            || Error::new(ErrorKind::UnknownKeyspace, "look a keyspace up").with("id", id.0);
        self.keyspaces.get(&id).ok_or_else(unknown)
    }

    /// A keyspace by name.
    ///
    /// # Errors
    /// `UnknownKeyspace`, with the names there are.
    pub fn by_name(&self, name: &str) -> Result<&Arc<Descriptor>, Error> {
        let known = || self.names.keys().cloned().collect::<Vec<_>>().join(", ");
        let unknown = || {
            Error::new(ErrorKind::UnknownKeyspace, "look a keyspace up")
                .with("name", name)
                .with("known", known())
        };
        self.names
            .get(name)
            .and_then(|id| self.keyspaces.get(id))
            .ok_or_else(unknown)
    }

    /// All keyspaces, by number.
    pub fn keyspaces(&self) -> impl Iterator<Item = &Arc<Descriptor>> {
        self.keyspaces.values()
    }

    /// The nodes of the cluster, by number.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.all_members().filter(|member| !member.has_left)
    }

    /// All nodes that belong, or have belonged, to the cluster, by number.
    pub fn all_members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Checks that a change of a descriptor starts from the version in force.
    ///
    /// # Errors
    /// `StaleDescriptor`.
    pub fn check_change(&self, new: &Descriptor) -> Result<(), Error> {
        let current = self
            .keyspaces
            .get(&new.id)
            .map_or(ConfigEpoch(0), |known| known.config_epoch);
        if new.config_epoch == current.next() {
            return Ok(());
        }
        let kind = ErrorKind::StaleDescriptor {
            have: new.config_epoch,
            need: current.next(),
        };
        Err(Error::new(kind, "change a descriptor").with("keyspace", &new.name))
    }
}
