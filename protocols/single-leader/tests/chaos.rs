//! Random trouble, hundreds of seeds: what is acknowledged has its copies, histories agree, and
//! after the trouble everything converges. A failing seed prints how to run it alone.

mod harness;

use std::collections::BTreeMap;

use harness::chaos::Chaos;
use repertoire_core::Durability;

/// Long enough that a seed sees several crashes of several kinds.
const STEPS: usize = 1500;

type Counts = BTreeMap<&'static str, u64>;

fn run(seed: u64, durability: Durability, met: &mut Counts) {
    let mut chaos = Chaos::new(seed, durability);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            chaos.step();
        }
        chaos.heal();
    }));
    for (name, count) in &chaos.cluster.counts {
        *met.entry(name).or_default() += count;
    }
    if let Err(panic) = outcome {
        if std::env::var_os("CHAOS_SEED").is_some() {
            eprintln!("{}", chaos.cluster.take_trace());
        }
        eprintln!("seed {seed}: run it alone with CHAOS_SEED={seed}");
        std::panic::resume_unwind(panic);
    }
}

fn run_all(durability: Durability, count: u64) -> Counts {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let seeds = match (number("CHAOS_SEED"), number("CHAOS_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, more) => 0..more.unwrap_or(count),
    };
    let mut seen = Counts::new();
    for seed in seeds {
        run(seed, durability, &mut seen);
    }
    eprintln!("{durability}: {seen:#?}");
    seen
}

/// A run that never meets a situation proves nothing about it.
fn assert_met(seen: &Counts, names: &[&str]) {
    if std::env::var_os("CHAOS_SEED").is_none() {
        for name in names {
            assert!(seen.contains_key(name), "{name} never happened");
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_with_synced_logs() {
    let seen = run_all(Durability::Disk, 300);
    let met = [
        "epoch-adopted",
        "follower-rewound",
        "follower-stalled",
        "follower-behind-log",
        "snapshot-installed",
        "log-truncated",
    ];
    assert_met(&seen, &met);
}

#[test]
fn replicas_agree_again_after_a_leader_lost_its_unsynced_tail() {
    let seen = run_all(Durability::Memory, 300);
    let met = [
        "history-contradicted",
        "follower-contradicts",
        "snapshot-installed",
    ];
    assert_met(&seen, &met);
}
