//! What the decorator does to frames, and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use repertoire_conformance::transport::{BUDGET, Recorder, check_all, id, numbered};
use repertoire_core::{Class, NodeId, Transport};
use repertoire_transport_faulty::{Direction, FaultPlan, FaultyTransport};
use repertoire_transport_memory::{MemoryHub, OutboxBudgets};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

struct Pair {
    a: FaultyTransport,
    b: Arc<dyn Transport>,
    seen_by_a: Arc<Recorder>,
    seen_by_b: Arc<Recorder>,
}

impl Pair {
    async fn new(plan: FaultPlan) -> Self {
        let hub = MemoryHub::default();
        let a = FaultyTransport::new(Arc::new(hub.transport(A)), plan);
        let b: Arc<dyn Transport> = Arc::new(hub.transport(B));
        let (seen_by_a, seen_by_b) = (Arc::<Recorder>::default(), Arc::<Recorder>::default());
        a.start(seen_by_a.clone()).await.unwrap();
        b.start(seen_by_b.clone()).await.unwrap();
        seen_by_a.until("the link", |seen| seen.up == [B]).await;
        seen_by_b.until("the link", |seen| seen.up == [A]).await;
        Self {
            a,
            b,
            seen_by_a,
            seen_by_b,
        }
    }

    fn send(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let frame = numbered(Class::Replication, number, 10);
            assert_eq!(self.a.send(B, vec![frame]), 1);
        }
    }

    /// Sends a last frame that no plan harms, and returns the numbers before it.
    async fn arrived(&self) -> Vec<u32> {
        self.a.set_plan(FaultPlan::default());
        assert_eq!(
            self.a
                .send(B, vec![numbered(Class::Replication, 999_999, 1)]),
            1
        );
        let is_last = |seen: &repertoire_conformance::transport::Seen| {
            seen.of(A, Class::Replication)
                .last()
                .is_some_and(|(number, _)| *number == 999_999)
        };
        self.seen_by_b.until("the last frame", is_last).await;
        let seen = self.seen_by_b.seen();
        let all = seen
            .of(A, Class::Replication)
            .iter()
            .map(|(number, _)| *number);
        all.filter(|number| *number != 999_999).collect()
    }
}

#[tokio::test]
async fn without_faults_the_contract_holds() {
    check_all(|count| async move {
        let hub = MemoryHub::new(OutboxBudgets {
            control: BUDGET,
            replication: BUDGET,
            bulk: BUDGET,
        });
        let node = |index| {
            let below = Arc::new(hub.transport(id(index)));
            Arc::new(FaultyTransport::new(below, FaultPlan::default())) as Arc<dyn Transport>
        };
        (0..count).map(node).collect()
    })
    .await;
}

#[tokio::test]
async fn the_same_seed_drops_and_doubles_the_same_frames() {
    let plan = |seed| FaultPlan {
        seed,
        drop_per_mille: 200,
        duplicate_per_mille: 200,
        ..FaultPlan::default()
    };
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let pair = Pair::new(plan(seed)).await;
        pair.send(0..1000);
        let arrived = pair.arrived().await;
        let counts = pair.a.counts();
        assert!(counts.dropped > 100 && counts.duplicated > 100);
        let wanted = 1000 + counts.duplicated - counts.dropped;
        assert_eq!(arrived.len() as u64, wanted);
        runs.push(arrived);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn delays_keep_the_order_and_lose_nothing() {
    let pair = Pair::new(FaultPlan {
        seed: 3,
        delay_per_mille: 300,
        delay_max: Duration::from_secs(10),
        ..FaultPlan::default()
    })
    .await;
    pair.send(0..500);
    assert!(pair.a.counts().delayed > 100);
    assert_eq!(pair.arrived().await, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cut_has_a_direction() {
    let pair = Pair::new(FaultPlan::default()).await;
    pair.a.cut(B, Direction::Out);
    pair.send(0..10);
    assert_eq!(pair.b.send(A, vec![numbered(Class::Control, 1, 1)]), 1);
    pair.seen_by_a
        .until("the other way", |seen| {
            seen.of(B, Class::Control).len() == 1
        })
        .await;
    pair.a.heal(B);
    pair.a.cut(B, Direction::In);
    pair.send(10..20);
    assert_eq!(pair.b.send(A, vec![numbered(Class::Control, 2, 1)]), 1);
    assert_eq!(pair.arrived().await, (10..20).collect::<Vec<_>>());
    pair.a.heal(B);
    assert_eq!(pair.b.send(A, vec![numbered(Class::Control, 3, 1)]), 1);
    pair.seen_by_a
        .until("both ways", |seen| seen.of(B, Class::Control).len() == 2)
        .await;
    let seen = pair.seen_by_a.seen();
    assert_eq!(seen.of(B, Class::Control), [(1, 1), (3, 1)]);
    assert!(seen.downs.is_empty(), "a cut is silent");
    assert_eq!(pair.a.counts().cut, 11);
}

#[tokio::test]
async fn a_severed_link_is_reported_and_comes_back() {
    let pair = Pair::new(FaultPlan::default()).await;
    pair.a.sever(B);
    pair.seen_by_a
        .until("the end of the link", |seen| seen.up.is_empty())
        .await;
    assert_eq!(pair.a.send(B, vec![numbered(Class::Control, 1, 1)]), 0);
    pair.a.heal(B);
    pair.seen_by_a
        .until("the link", |seen| seen.up == [B])
        .await;
    pair.send(0..3);
    assert_eq!(pair.arrived().await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_is_held_back() {
    let pair = Pair::new(FaultPlan {
        delay_per_mille: 1000,
        delay_max: Duration::from_hours(1),
        ..FaultPlan::default()
    })
    .await;
    pair.send(0..20);
    pair.a.close(Duration::from_secs(10)).await;
    pair.seen_by_b
        .until("all", |seen| seen.of(A, Class::Replication).len() == 20)
        .await;
}
