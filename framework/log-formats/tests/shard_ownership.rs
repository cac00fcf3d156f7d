//! A shard takes no keys of another one, whoever sent them there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{
    ClientId, DedupTable, Error, ErrorKind, Evaluated, Function, FunctionView, GroupId,
    KeyspaceOptions, Mono, Now, Operation, Outcome, Pipeline, RecordContext, Registry, ReplyHandle,
    RequestId, SlotMap, Wall, WriteRequest,
};
use repertoire_log_formats::Row;

/// Reads the key that its arguments are.
struct Touch;

impl Function for Touch {
    fn name(&self) -> &'static str {
        "touch"
    }

    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error> {
        keys.push(Bytes::copy_from_slice(args));
        Ok(())
    }

    fn evaluate(
        &self,
        _context: RecordContext,
        _args: &[u8],
        _view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        Ok(Evaluated::default())
    }
}

/// What becomes of an operation at one of eight shards: the refusal, or that it was taken.
fn submit(operation: &Operation<'_>, shard: u32) -> Result<(), Error> {
    let mut registry = Registry::default();
    registry.function(Arc::new(Touch));
    let group = GroupId::new(1, shard);
    let format = Arc::new(Row::default());
    let options = KeyspaceOptions::default();
    let pipeline = Pipeline::new(group, options, Arc::new(registry), format);
    let mut pipeline = pipeline.owning(&SlotMap::even(8));
    let request = WriteRequest {
        id: RequestId {
            client: ClientId::new(Wall(1), 7),
            seq: 1,
            acked_upto: 0,
        },
        reply_to: ReplyHandle {
            session: 1,
            request: 1,
        },
        acks: None,
        deadline: Mono::NEVER,
        body: operation.encode(),
    };
    pipeline.submit(Now::default(), request, &DedupTable::default());
    let mut replies = Vec::new();
    pipeline.take_replies(&mut replies);
    let is_taken = !pipeline.seal().is_empty() || pipeline.has_fetches();
    match replies.pop().map(|reply| reply.outcome) {
        None => {
            assert!(is_taken, "it is neither refused nor taken");
            Ok(())
        }
        Some(Outcome::Failed(error)) => {
            assert!(!is_taken, "it is refused and taken: {error}");
            Err(*error)
        }
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn only_the_owner_takes_a_key() {
    let key = b"{ann}.cart".as_slice();
    let owner = SlotMap::even(8).shard_of(key).0;
    let put = Operation::Put {
        key,
        value: b"1",
        expires_at: None,
    };
    let swap = Operation::CompareAndSet {
        key,
        expected: None,
        new: None,
    };
    let call = Operation::Call {
        function: "touch",
        args: key,
    };
    for operation in [put.clone(), Operation::Batch(vec![put]), swap, call] {
        for shard in 0..8 {
            let outcome = submit(&operation, shard);
            assert_eq!(outcome.is_ok(), shard == owner, "{shard}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(*error.kind(), ErrorKind::Unsupported);
                let text = error.to_string();
                assert!(text.contains(&format!("shard-{owner}")), "{text}");
            }
        }
    }
}

#[test]
fn keys_of_two_shards_are_refused_by_both() {
    let delete = |key| Operation::Delete { key };
    let both = Operation::Batch(vec![delete(b"{ann}.cart"), delete(b"a")]);
    let owner = |key: &[u8]| SlotMap::even(8).shard_of(key).0;
    assert_ne!(owner(b"{ann}.cart"), owner(b"a"));
    for shard in [owner(b"{ann}.cart"), owner(b"a")] {
        let error = submit(&both, shard).unwrap_err();
        assert!(error.to_string().contains("several shards"), "{error}");
    }
}
