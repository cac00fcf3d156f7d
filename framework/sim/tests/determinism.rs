//! One seed, one run: the same again, and the same whether messages move as values or as bytes.

use repertoire_sim::{Machinery, RunConfig, run};

const STEPS: u64 = 5_000;

#[test]
fn the_same_seed_gives_the_same_trace() {
    for (protocol, seed) in [
        ("single-leader", 11),
        ("single-leader", 12),
        ("standalone", 11),
    ] {
        let config = RunConfig::new(protocol, seed).with_steps(STEPS);
        assert_eq!(run(&config), run(&config), "{protocol}, seed {seed}");
    }
}

#[test]
fn typed_and_erased_replicas_give_the_same_trace() {
    for (protocol, seeds) in [("single-leader", 20..26), ("standalone", 20..22)] {
        for seed in seeds {
            let typed = RunConfig::new(protocol, seed).with_steps(STEPS);
            let erased = typed.clone().with_machinery(Machinery::Erased);
            assert_eq!(run(&typed), run(&erased), "{protocol}, seed {seed}");
        }
    }
}

#[test]
fn different_seeds_give_different_traces() {
    let hash = |seed| run(&RunConfig::new("standalone", seed).with_steps(500)).trace_hash;
    assert_ne!(hash(1), hash(2));
}
