//! The rows of keyspace 0 that change with the members: each by compare-and-set, so that two operators
//! never undo each other's work.

use repertoire_core::{Catalogue, Descriptor, Error, ErrorKind, GroupMember, Member, NodeId};

use super::group::Place;
use super::{Newcomer, Operator};

/// Rows read at once.
pub(super) const PAGE: usize = 256;

impl Operator {
    /// Makes a node known to all others, which begin to talk with it.
    pub(super) async fn enrol(&self, places: &[Place], newcomer: &Newcomer) -> Result<(), Error> {
        for place in places {
            self.check(place, newcomer).await?;
        }
        let row = Member {
            node: newcomer.node,
            incarnation: Some(newcomer.incarnation),
            address: newcomer.address.clone(),
            site: newcomer.site.clone(),
            has_left: false,
        };
        let known = self.enrolled(newcomer.node).await?;
        // A founder's row names no disk.
        let other = known.and_then(|known| known.incarnation);
        if let Some(other) = other.filter(|disk| *disk != newcomer.incarnation) {
            return Err(Error::new(ErrorKind::ConfigInvalid, "add a node")
                .with("node", newcomer.node)
                .with("known", other)
                .with("offered", newcomer.incarnation)
                .with("detail", "the node is known with another disk")
                .with("remedy", "decommission it before it comes back"));
        }
        let key = Catalogue::member_key(newcomer.node);
        self.change(&key, |_| Ok(Some(encode(&row)))).await
    }

    /// Has all others forget a node.
    pub(super) async fn strike_off(&self, node: NodeId) -> Result<(), Error> {
        let key = Catalogue::member_key(node);
        self.change(&key, |row| {
            let Some(row) = row else { return Ok(None) };
            let member: Member = decode(row)?;
            let left = Member {
                has_left: true,
                ..member
            };
            Ok(Some(encode(&left)))
        })
        .await
    }

    /// Places a learner on a node, which begins to run it and waits until the group takes it in.
    pub(super) async fn expect(&self, place: &Place, newcomer: &Newcomer) -> Result<(), Error> {
        let (node, disk) = (newcomer.node, newcomer.incarnation);
        self.redescribe(place, |known| {
            known.expecting(place.shard, node, disk, newcomer.site.clone())
        })
        .await
    }

    /// Says in the catalogue what the group's log has settled.
    pub(super) async fn mirror(&self, place: &Place, members: &[GroupMember]) -> Result<(), Error> {
        self.redescribe(place, |known| {
            let next = known.mirroring(place.shard, members);
            let is_news = next.replicas(place.shard) != known.replicas(place.shard);
            is_news.then_some(next)
        })
        .await
    }

    /// A group's descriptor as the leader of keyspace 0 knows it.
    pub(super) async fn described(&self, place: &Place) -> Result<Descriptor, Error> {
        let leader = self.catalogue.level(repertoire_core::ReadLevel::Leader);
        let key = Catalogue::keyspace_key(place.keyspace);
        let gone = || {
            Error::new(ErrorKind::UnknownKeyspace, "look a keyspace up").with("name", &place.name)
        };
        decode(&leader.get(&key).await?.1.ok_or_else(gone)?)
    }

    async fn redescribe(
        &self,
        place: &Place,
        next: impl Fn(&Descriptor) -> Option<Descriptor> + Send + Sync,
    ) -> Result<(), Error> {
        let key = Catalogue::keyspace_key(place.keyspace);
        self.change(&key, |row| {
            let gone = || Error::new(ErrorKind::UnknownKeyspace, "change members");
            let known: Descriptor = decode(row.ok_or_else(gone)?)?;
            Ok(next(&known).as_ref().map(encode))
        })
        .await
    }

    /// Replaces a row by what `next` makes of it; nothing, when that is `None`.
    async fn change(
        &self,
        key: &[u8],
        next: impl Fn(Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> + Send + Sync,
    ) -> Result<(), Error> {
        let leader = self.catalogue.level(repertoire_core::ReadLevel::Leader);
        loop {
            let (_, before) = leader.get(key).await?;
            let Some(after) = next(before.as_deref())? else {
                return Ok(());
            };
            if before.as_deref() == Some(after.as_slice()) {
                return Ok(());
            }
            let written = leader.compare_and_set(key, before.as_deref(), Some(&after));
            match written.await {
                Ok(_) => return Ok(()),
                // Somebody else was first: once more, over what is there now.
                Err(error) if *error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn encode(row: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}

fn decode<T: serde::de::DeserializeOwned>(row: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(row)
        .map_err(|e| Error::new(ErrorKind::Corrupted, "read the catalogue").with("detail", e))
}
