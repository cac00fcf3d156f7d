//! Which shard a request goes to, and checks that need no node.

use repertoire_core::limits::KEY_MAX;
use repertoire_core::{
    Answer, Descriptor, Error, ErrorKind, GroupId, Operation, ReadQuery, ShardId,
};

/// The group of a shard.
pub(crate) fn group(descriptor: &Descriptor, shard: ShardId) -> GroupId {
    GroupId {
        keyspace: descriptor.id,
        shard,
    }
}

/// The shard of an operation: that of its keys, which must be the same for all of them. Where there are
/// several, an operation that names no key is refused: its function would find and leave keys where
/// nobody else looks for them.
pub(crate) fn of_operation(
    descriptor: &Descriptor,
    operation: &Operation<'_>,
) -> Result<ShardId, Error> {
    if descriptor.placement.shards.len() <= 1 {
        return Ok(only(descriptor));
    }
    let owner = descriptor.placement.slots.owner(operation);
    let unnamed = || {
        Error::new(ErrorKind::Unsupported, "write")
            .with("keyspace", &descriptor.name)
            .with(
                "detail",
                "the operation names no key, so none of its shards",
            )
            .with("remedy", "call the function near a key of the shard")
    };
    match owner {
        Ok(owner) => owner.ok_or_else(unnamed),
        Err(error) => Err(error.with("keyspace", &descriptor.name)),
    }
}

/// The shard of an encoded operation.
pub(crate) fn of_body(descriptor: &Descriptor, body: &[u8]) -> Result<ShardId, Error> {
    if descriptor.placement.shards.len() <= 1 {
        return Ok(only(descriptor));
    }
    let operation = Operation::decode(body).map_err(|e| Error::undecodable("write", &e))?;
    of_operation(descriptor, &operation)
}

fn only(descriptor: &Descriptor) -> ShardId {
    descriptor
        .placement
        .shards
        .keys()
        .next()
        .copied()
        .unwrap_or(ShardId(0))
}

/// Refuses queries about all keys where each shard could only tell of its own.
pub(crate) fn check_whole(descriptor: &Descriptor, queries: &[ReadQuery]) -> Result<(), Error> {
    let is_of_one = |query: &ReadQuery| matches!(query, ReadQuery::Get(_));
    if descriptor.placement.shards.len() <= 1 || queries.iter().all(is_of_one) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "read")
        .with("keyspace", &descriptor.name)
        .with(
            "detail",
            "it has several shards, and the query asks for all keys",
        ))
}

/// The shard of a query; what asks for all keys goes to the only shard there is.
pub(crate) fn of_query(descriptor: &Descriptor, query: &ReadQuery) -> ShardId {
    match query {
        ReadQuery::Get(key) => descriptor.placement.slots.shard_of(key),
        ReadQuery::Scan { .. } | ReadQuery::Digest | ReadQuery::Count => only(descriptor),
    }
}

/// Refuses keys that no node takes: a node could not even read them, and would call the request
/// malformed.
pub(crate) fn check_operation(operation: &Operation<'_>) -> Result<(), Error> {
    let mut longest = 0;
    operation.visit_keys(&mut |key| longest = key.len().max(longest));
    if longest > KEY_MAX {
        Err(too_large(longest, KEY_MAX).with("detail", "the key"))
    } else {
        Ok(())
    }
}

/// Refuses keys that no node takes.
pub(crate) fn check_query(query: &ReadQuery) -> Result<(), Error> {
    let longest = match query {
        ReadQuery::Get(key) => key.len(),
        ReadQuery::Scan { from, to, .. } => from.len().max(to.len()),
        ReadQuery::Digest | ReadQuery::Count => 0,
    };
    if longest > KEY_MAX {
        Err(too_large(longest, KEY_MAX))
    } else {
        Ok(())
    }
}

/// Something is longer than any node takes.
pub(crate) fn too_large(len: usize, max: usize) -> Error {
    let (len, max) = (len as u64, max as u64);
    Error::new(ErrorKind::TooLarge { len, max }, "submit")
}

/// A node answered another question than the one it was asked.
pub(crate) fn wrong_answer(answer: &Answer) -> Error {
    let found = match answer {
        Answer::Value(_) => "value",
        Answer::Rows(_) => "rows",
        Answer::Digest(_) => "digest",
        Answer::Count(_) => "count",
    };
    Error::new(ErrorKind::Malformed, "read").with("answer", found)
}

#[cfg(test)]
mod tests {
    use repertoire_core::{
        Descriptor, ErrorKind, KeyspaceId, NodeId, Operation, ReplicaSpec, ShardId, SlotMap,
    };

    use super::{check_operation, of_operation};

    #[test]
    fn a_key_that_no_node_can_read_is_too_large() {
        let key = vec![b'k'; 5000];
        let batch = Operation::Batch(vec![Operation::Delete { key: &key }]);
        let error = check_operation(&batch).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::TooLarge { len: 5000, .. }
        ));
    }

    fn sharded() -> Descriptor {
        let mut descriptor =
            Descriptor::single_shard(KeyspaceId(1), "sharded", "standalone", &[NodeId(1)]);
        descriptor.placement.slots = SlotMap::even(4);
        for shard in 0..4 {
            let replicas = vec![ReplicaSpec::on(NodeId(1))];
            descriptor.placement.shards.insert(ShardId(shard), replicas);
        }
        descriptor
    }

    #[test]
    fn tagged_keys_stay_together_and_others_are_refused() {
        let descriptor = sharded();
        let delete = |key| Operation::Delete { key };
        let together = Operation::Batch(vec![delete(b"{u}.a"), delete(b"{u}.b"), delete(b"{u}.c")]);
        assert!(of_operation(&descriptor, &together).is_ok());
        let keys: Vec<String> = (0..20).map(|i| format!("key-{i}")).collect();
        let apart = keys.iter().map(|key| delete(key.as_bytes())).collect();
        let error = of_operation(&descriptor, &Operation::Batch(apart)).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
}
