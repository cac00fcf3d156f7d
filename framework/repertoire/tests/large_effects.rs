//! Writes whose effect is far longer than their request: what fits in a frame is replicated, what does
//! not is refused, and nothing gets stuck.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use repertoire::core::limits::{KEY_MAX, VALUE_MAX};
use repertoire::core::{
    Acks, Cell, ClientId, Error, ErrorKind, Evaluated, Function, FunctionView, GroupId, Mono,
    NodeId, Operation, Outcome, RecordContext, RequestId, RowChange, WriteOutcome,
};
use repertoire::runtime::{EmbeddedSession, EmbeddedWrite, clock};
use repertoire::{LocalCluster, LocalOptions};

const DATA: GroupId = GroupId::new(1, 0);

/// Writes as many rows, of that many bytes each, as its arguments say: `rows × bytes @ key bytes`; a
/// fourth number asks for a key that was not declared.
struct Fill;

fn numbers(args: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(args).unwrap();
    text.split(' ').map(|n| n.parse().unwrap()).collect()
}

fn keys(args: &[u8]) -> Vec<Bytes> {
    let [rows, _, len, ..] = numbers(args)[..] else {
        panic!("three numbers")
    };
    let key = |row| Bytes::from(format!("{row:0len$}"));
    (0..rows).map(key).collect()
}

impl Function for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn read_set(&self, args: &[u8], out: &mut Vec<Bytes>) -> Result<(), Error> {
        out.extend(keys(args));
        Ok(())
    }

    fn evaluate(
        &self,
        _context: RecordContext,
        args: &[u8],
        _view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        let numbers = numbers(args);
        let mut cell = BytesMut::new();
        Cell::plain(&vec![b'x'; numbers[1]]).encode_into(&mut cell);
        let cell = cell.freeze();
        let mut keys = keys(args);
        if numbers.len() > 3 {
            keys.push(Bytes::from_static(b"undeclared"));
        }
        let change = |key| RowChange {
            key,
            after: Some(cell.clone()),
            before: None,
        };
        Ok(Evaluated {
            changes: keys.into_iter().map(change).collect(),
            result: Bytes::from_static(b"filled"),
        })
    }
}

async fn start() -> LocalCluster {
    let mut registry = repertoire::registry();
    registry.function(Arc::new(Fill));
    let mut options = LocalOptions::new("test");
    options.registry = Arc::new(registry);
    support::start(options, vec![support::keyspace(1, "data")]).await
}

/// Calls the function with these arguments, all at once; the outcomes in order.
async fn fill(session: &EmbeddedSession, from: u64, calls: &[String]) -> Vec<Outcome> {
    let client = ClientId::new(clock::now().wall, from.into());
    let call = |(seq, args): (u64, &String)| EmbeddedWrite {
        group: DATA,
        id: RequestId {
            client,
            seq,
            acked_upto: 0,
        },
        acks: Some(Acks::Sync),
        deadline: Mono::NEVER,
        body: Operation::Call {
            function: "fill",
            args: args.as_bytes(),
        }
        .encode(),
    };
    let first = session.write((1..).zip(calls).map(call).collect()).unwrap();
    let mut outcomes = vec![None; calls.len()];
    while outcomes.iter().any(Option::is_none) {
        let replies = tokio::time::timeout(Duration::from_secs(30), session.replies()).await;
        for reply in replies.expect("replies in time") {
            let index = usize::try_from(reply.to.request - first).unwrap();
            outcomes[index] = Some(reply.outcome);
        }
    }
    outcomes.into_iter().flatten().collect()
}

fn refusal(outcome: &Outcome) -> &ErrorKind {
    match outcome {
        Outcome::Failed(error) => {
            assert_eq!(error.outcome(), WriteOutcome::NotApplied, "{error}");
            error.kind()
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_fits_is_replicated_and_what_does_not_is_refused() {
    let cluster = start().await;
    let session = cluster.node(NodeId(1)).unwrap().handle().session();
    let calls = [
        // Each fits in an entry of its own only, though their requests are tiny.
        "1 900000 8".to_owned(),
        "2 450000 8".to_owned(),
        "900 1000 8".to_owned(),
        // No entry holds these.
        "2 600000 8".to_owned(),
        "2000 1000 8".to_owned(),
        format!("1 {} 8", VALUE_MAX + 1),
        format!("1 10 {}", KEY_MAX + 1),
        "1 10 8 1".to_owned(),
        // And others go on.
        format!("1 {VALUE_MAX} 8"),
        format!("1 10 {KEY_MAX}"),
    ];
    let outcomes = fill(&session, 1, &calls).await;
    for index in [0, 1, 2, 8, 9] {
        let outcome = &outcomes[index];
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }
    for index in [3, 4, 5, 6] {
        let kind = refusal(&outcomes[index]);
        assert!(
            matches!(kind, ErrorKind::TooLarge { .. }),
            "{index}: {kind:?}"
        );
    }
    assert_eq!(*refusal(&outcomes[7]), ErrorKind::Unexpected);

    // Many in a burst, whose requests together look small.
    let many: Vec<String> = (0..60).map(|n| format!("1 {} 8", 100_000 + n)).collect();
    for outcome in fill(&session, 2, &many).await {
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }
    support::converged(&cluster, DATA).await;
    drop(session);
    cluster.stop().await.unwrap();
}
