//! One seed: faults for so many steps, then peace, then judgement.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use repertoire_core::{Acks, Registry};

use crate::cast::{Cast, Erased, Typed};
use crate::client::{Ask, Ending};
use crate::clock::{MILLI, Nanos, SECOND};
use crate::cluster::{Event, World};
use crate::config::{Machinery, RunConfig};
use crate::fault::kind::Fault;
use crate::invariants::Finding;
use crate::panics::quietly;
use crate::plan::Plan;
use crate::report::{RunReport, Violation};
use crate::rng::Rng;

/// Virtual time after the last fault within which the cluster must have come to rest.
const PATIENCE: Nanos = 30 * SECOND;

/// The registry of the built-in plug-ins, with the functions that the workload calls.
pub fn registry() -> Registry {
    let mut registry = Registry::empty();
    repertoire_single_leader::register(&mut registry);
    repertoire_standalone::register(&mut registry);
    with_workload(registry)
}

/// Adds what every run needs to a registry: engine, log format, functions.
pub fn with_workload(mut registry: Registry) -> Registry {
    repertoire_storage_memory::register_with_seed(&mut registry, 1);
    repertoire_log_formats::register(&mut registry);
    registry.function(Arc::new(crate::client::Increment));
    registry
}

/// Runs one seed of a built-in protocol. Unknown names run erased, and fail to boot.
pub fn run(config: &RunConfig) -> RunReport {
    let registry = Arc::new(registry());
    match (config.machinery, config.protocol.as_str()) {
        (Machinery::Typed, repertoire_single_leader::NAME) if !config.mixed => {
            let cast = Typed::<repertoire_single_leader::SingleLeader>::default();
            run_with(&cast, registry, config)
        }
        (Machinery::Typed, repertoire_standalone::NAME) => {
            let cast = Typed::<repertoire_standalone::Standalone>::default();
            run_with(&cast, registry, config)
        }
        _ => run_with(&Erased::new(Arc::clone(&registry)), registry, config),
    }
}

/// Runs one seed with replicas of `cast`. The registry holds engine, log format and functions; see
/// [`with_workload`].
pub fn run_with<C: Cast>(cast: &C, registry: Arc<Registry>, config: &RunConfig) -> RunReport {
    let mut rng = Rng::new(config.seed);
    let plan = Plan::draw(config, &mut rng);
    let mut world = World::new(cast, registry, plan, rng);
    let outcome = quietly(|| catch_unwind(AssertUnwindSafe(|| world.play(config.steps))));
    if let Err(panic) = outcome {
        let words = crate::panics::words(panic.as_ref());
        world.findings.add("A8.panic", || words);
    }
    world.report(config)
}

impl<C: Cast> World<'_, C> {
    fn play(&mut self, steps: u64) {
        for n in 0..self.nodes.len() {
            self.start(n);
        }
        self.start_clients();
        for kind in Fault::ALL {
            self.plan_strike(*kind);
        }
        self.plan_operator();
        while self.steps < steps && self.findings.is_empty() && self.next() {}
        if !self.findings.is_empty() {
            return;
        }
        let gone = self.choose_gone();
        self.heal(gone);
        // Writes go on for a while: recovery under load is not recovery at rest.
        self.go_on_for(300 * MILLI);
        self.is_issuing = false;
        if self.come_to_rest() && self.serves_new_writes() {
            self.ask_digests();
            self.go_on_for(SECOND);
            if self.findings.is_empty() {
                self.judge_rest();
            }
        }
    }

    /// Returns whether anything is left to happen.
    fn go_on_for(&mut self, span: Nanos) -> bool {
        let until = self.time() + span;
        while self.time() < until && self.findings.is_empty() {
            if !self.next() {
                return false;
            }
        }
        true
    }

    /// Whether requests end and replicas converge within the patience.
    fn come_to_rest(&mut self) -> bool {
        let until = self.time() + PATIENCE;
        while self.time() < until && self.findings.is_empty() {
            let goes_on = self.go_on_for(20 * MILLI);
            if self.book.unfinished() == 0 && self.is_at_rest() {
                return true;
            }
            if !goes_on {
                break;
            }
        }
        if self.findings.is_empty() {
            let words = self.unrest();
            self.findings.add("SL.liveness", || {
                format!("no rest after the faults: {words}")
            });
        }
        false
    }

    /// A replica that no keyspace can do without stays up; another one may stay down.
    fn choose_gone(&mut self) -> Option<usize> {
        // Who has forgotten something needs all the others to remember.
        if !self.plan.minority_stays_down || !self.all_remember() {
            return None;
        }
        (0..self.nodes.len()).rev().find(|n| !self.is_needed(*n))
    }

    /// Whether some keyspace cannot do without a node: its leader, or its only replica.
    pub(crate) fn is_needed(&self, n: usize) -> bool {
        self.plan.groups.iter().any(|group| {
            let leads = group
                .descriptor
                .plugin_options
                .contains(&format!("\"leader\": {},", n + 1));
            group.members == [n] || leads
        })
    }

    /// Every keyspace takes a new write that needs a majority.
    fn serves_new_writes(&mut self) -> bool {
        let mut probes = Vec::new();
        for g in 0..self.plan.groups.len() {
            let found = self
                .clients
                .iter()
                .position(|client| client.plan.group == g);
            let Some(number) = found else {
                continue;
            };
            let time = self.time();
            // A clock that jumped may have ended it.
            let session = self.clients[number].session();
            self.renew_session(number, session);
            let client = &mut self.clients[number];
            client.plan.reads = 0;
            client.in_flight += 1;
            let workload = crate::client::Workload {
                keys: self.plan.keys,
                voters: self.plan.groups[g].founders.len(),
                up: self.plan.up(g),
                churns: self.plan.groups[g].churns(),
                copies_min: self.plan.groups[g].copies_min(&self.plan.faults),
                wall_ms: 0,
                expiring: false,
            };
            let mut op = workload.invent(number, client, &self.known[g].swapped, time);
            // A swap may meet another value, and that is an answer too.
            op.acks = Some(Acks::Majority);
            let op = self.book.open(op);
            probes.push(op);
            self.agenda.after(0, Event::Again { op });
        }
        if !self.come_to_rest() {
            return false;
        }
        let words = self.unrest();
        for op in probes.into_iter().map(|op| &self.book.ops[op as usize]) {
            let is_served = op.ending == Ending::Done || matches!(op.ask, Ask::Swap { .. });
            let (ask, attempts) = (op.ask, op.attempts);
            self.findings.require(is_served, "SL.liveness", || {
                format!("after the faults, {ask:?} was not served in {attempts} attempts; {words}")
            });
        }
        self.findings.is_empty()
    }

    fn report(self, config: &RunConfig) -> RunReport {
        let (done, ended) = self.succeeded();
        let counts = |name: &str, count: u64| (count > 0).then(|| (name.to_owned(), count));
        let sometimes: BTreeMap<_, _> = self
            .reached
            .iter()
            .filter_map(|(situation, count)| counts(situation.name(), count))
            .collect();
        let faults = self
            .tally
            .iter()
            .filter_map(|(name, count)| counts(name, count));
        let faults = faults.collect();
        let simulated_nanoseconds = self.time();
        let violation = |finding: Finding| Violation {
            seed: config.seed,
            invariant: finding.invariant.to_owned(),
            detail: finding.detail,
            replay: replay(config),
        };
        RunReport {
            seed: config.seed,
            steps: self.steps,
            simulated_nanoseconds,
            operations_succeeded: done,
            operations_ended: ended,
            violations: self
                .findings
                .into_vec()
                .into_iter()
                .map(violation)
                .collect(),
            trace_hash: self.trace.hash(),
            sometimes,
            faults,
        }
    }
}

/// The command that runs a seed again. Whether other protocols share the nodes, it draws from the seed
/// as every campaign does.
fn replay(config: &RunConfig) -> String {
    format!(
        "repertoire sim --protocol {} --seed {} --seeds 1 --steps-per-seed {}",
        config.protocol, config.seed, config.steps
    )
}
