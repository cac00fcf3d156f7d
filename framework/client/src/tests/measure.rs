//! What the client itself costs, against a node that answers at once:
//! `cargo test --release -p repertoire-client measure -- --ignored --nocapture`.

use std::time::Duration;

use super::fake::{Cluster, body};
use crate::link::Parcel;
use crate::trace::{Call, begin};

const WRITES: u64 = 5_000_000;

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_the_client_alone() {
    let (keyspace, mut cluster) = Cluster::with_budgets(Duration::from_mins(1), 32 << 20, 8 << 20);
    let (pipeline, mut completions) = keyspace.pipeline();
    let node = tokio::spawn(async move {
        let mut link = cluster.link().await;
        let mut answered = 0;
        while answered < WRITES {
            let Parcel::Writes(writes) = link.parcel().await else {
                continue;
            };
            answered += writes.bodies.len() as u64;
            link.done(&writes);
        }
    });
    let op = body(120);
    let begin = std::time::Instant::now();
    let (mut submitted, mut done) = (0, 0);
    let mut batch = Vec::new();
    while done < WRITES {
        while submitted < WRITES && submitted - done < 4096 {
            pipeline.submit(vec![op.clone(); 256]).await.unwrap();
            submitted += 256;
        }
        completions.next(&mut batch).await;
        done += batch.drain(..).map(|c| c.count()).sum::<u64>();
    }
    node.await.unwrap();
    eprintln!("{:.2} M writes/s", 5.0 / begin.elapsed().as_secs_f64());
}

#[test]
#[ignore = "a measurement"]
fn measure_a_trace_that_nobody_wants() {
    const CALLS: u32 = 100_000_000;
    let call = Call {
        kind: "write",
        keyspace: "ks",
        count: 1,
    };
    let start = std::time::Instant::now();
    for _ in 0..CALLS {
        let traced = begin(std::hint::black_box(call), std::hint::black_box(None));
        assert!(std::hint::black_box(traced).is_none());
    }
    let picos = start.elapsed().as_nanos() * 1000 / u128::from(CALLS);
    eprintln!("{picos} ps a call");
}
