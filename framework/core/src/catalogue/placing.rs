//! Which shard owns what an operation names, and where shards are put.

use std::collections::BTreeMap;

use super::{Descriptor, ReplicaSpec, SlotMap};
use crate::{Error, ErrorKind, Operation, ShardId};

impl SlotMap {
    /// The shard that owns every key named by an operation; `None` when it names none. A call names
    /// none: its function alone knows which keys it reads.
    ///
    /// ```
    /// use repertoire_core::{Operation, SlotMap};
    /// let slots = SlotMap::even(8);
    /// let delete = |key| Operation::Delete { key };
    /// let cart = Operation::Batch(vec![delete(b"{ann}.cart"), delete(b"{ann}.total")]);
    /// assert_eq!(slots.owner(&cart).unwrap(), Some(slots.shard_of(b"{ann}")));
    /// ```
    ///
    /// # Errors
    /// `Unsupported` when the keys lie in several shards: an operation is atomic within one of them.
    pub fn owner(&self, operation: &Operation<'_>) -> Result<Option<ShardId>, Error> {
        let mut found: Option<ShardId> = None;
        let mut other = None;
        operation.visit_keys(&mut |key| {
            let shard = self.shard_of(key);
            if *found.get_or_insert(shard) != shard {
                other = Some(shard);
            }
        });
        match (found, other) {
            (Some(one), Some(other)) => Err(split(one, other)),
            (found, _) => Ok(found),
        }
    }
}

fn split(one: ShardId, other: ShardId) -> Error {
    Error::new(ErrorKind::Unsupported, "write")
        .with("detail", "the keys lie in several shards")
        .with("shards", format!("{one}, {other}"))
        .with(
            "remedy",
            "keep keys together with a {tag}, or write them one by one",
        )
}

impl Descriptor {
    /// The same keyspace in so many shards (at least one, at most [`SLOTS`](super::SLOTS)). Each is on
    /// the nodes of shard 0, and each begins with the next of them in turn: the first replica leads, or
    /// is the first to ask for votes, so leaders are spread over the nodes.
    #[must_use]
    pub fn in_shards(mut self, shards: u32) -> Self {
        let replicas = self.replicas(ShardId(0)).to_vec();
        self.placement.slots = SlotMap::even(shards);
        self.placement.shards = spread_replicas(&replicas, shards.clamp(1, super::SLOTS.into()));
        self
    }
}

/// Every shard on all of `replicas`, each beginning with the next of them in turn.
pub fn spread_replicas(
    replicas: &[ReplicaSpec],
    shards: u32,
) -> BTreeMap<ShardId, Vec<ReplicaSpec>> {
    let starts = (0..replicas.len().max(1)).cycle();
    let shard = |(number, start): (u32, usize)| {
        let mut turned = replicas.to_vec();
        if !turned.is_empty() {
            turned.rotate_left(start);
        }
        (ShardId(number), turned)
    };
    (0..shards).zip(starts).map(shard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Guard, KeyspaceId, NodeId};

    #[test]
    fn shards_begin_with_the_nodes_in_turn() {
        let nodes = [1, 2, 3].map(NodeId);
        let one = Descriptor::single_shard(KeyspaceId(1), "wide", "single-leader", &nodes);
        let wide = one.in_shards(8);
        let first = |shard| wide.replicas(ShardId(shard))[0].node.0;
        let leaders: Vec<u64> = (0..8).map(first).collect();
        assert_eq!(leaders, [1, 2, 3, 1, 2, 3, 1, 2]);
        assert!((0..8).all(|shard| wide.replicas(ShardId(shard)).len() == 3));
    }

    #[test]
    fn keys_of_several_shards_have_no_owner() {
        let slots = SlotMap::even(8);
        let (a, b) = (b"a".as_slice(), b"{user-7}.b".as_slice());
        assert_ne!(slots.shard_of(a), slots.shard_of(b));
        let guards = vec![Guard {
            key: a,
            expected: None,
        }];
        let across = Operation::Transaction {
            guards,
            ops: Vec::new(),
            returning: vec![b],
        };
        let error = slots.owner(&across).unwrap_err().to_string();
        assert!(
            error.contains("several shards") && error.contains("{tag}"),
            "{error}"
        );
        let call = Operation::Call {
            function: "f",
            args: b"a",
        };
        assert_eq!(slots.owner(&call).unwrap(), None);
    }
}
