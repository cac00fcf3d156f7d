//! What the demo has seen.

use std::time::Duration;

use serde::Serialize;

use super::agreement::Agreement;
use super::leader_dies::LeaderDeath;
use super::outage::CatchUp;
use super::scene::Scene;
use super::stage::{Check, Stage};
use crate::failure::Failure;
use crate::output::Output;
use crate::units;

/// What the demo has seen. Documented in the book; fields are only added.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    ok: bool,
    seconds: f64,
    seed: u64,
    nodes: u64,
    rows: u64,
    keyspaces: Vec<KeyspaceReport>,
    catch_up: CatchUp,
    failover: LeaderDeath,
    checks: Vec<Check>,
    #[serde(skip)]
    span: Duration,
}

#[derive(Debug, Serialize)]
struct KeyspaceReport {
    name: String,
    protocol: String,
    acks: String,
    resolver: Option<String>,
    log_format: String,
    engine: String,
    leader: u64,
    copies: usize,
    rows: u64,
    bytes: u64,
    import_seconds: f64,
    rows_per_second: f64,
    digest_equal: bool,
    #[serde(skip)]
    rate: String,
    #[serde(skip)]
    reason: &'static str,
}

/// What the acts have found.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) agreements: Vec<Agreement>,
    pub(crate) catch_up: CatchUp,
    pub(crate) failover: LeaderDeath,
}

impl Report {
    pub(crate) fn new(
        scenes: &[Scene],
        seen: Seen,
        stage: &Stage,
        seed: u64,
        span: Duration,
    ) -> Self {
        let pairs = scenes.iter().zip(&seen.agreements);
        let keyspaces: Vec<_> = pairs
            .map(|(scene, found)| keyspace(scene, *found))
            .collect();
        Self {
            ok: stage.is_ok(),
            seconds: span.as_secs_f64(),
            seed,
            nodes: 3,
            rows: keyspaces.iter().map(|keyspace| keyspace.rows).sum(),
            keyspaces,
            catch_up: seen.catch_up,
            failover: seen.failover,
            checks: stage.checks().to_vec(),
            span,
        }
    }

    pub(crate) const fn is_ok(&self) -> bool {
        self.ok
    }

    /// Prints it.
    pub(crate) fn print(&self, output: Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.object(self);
        }
        let head = [
            "KEYSPACE", "PROTOCOL", "ACKS", "LEADER", "ROWS", "SIZE", "ROWS/S", "EQUAL", "PROMISE",
        ];
        let row = |keyspace: &KeyspaceReport| {
            vec![
                keyspace.name.clone(),
                keyspace.protocol.clone(),
                keyspace.acks.clone(),
                format!("n{}", keyspace.leader),
                units::count(keyspace.rows),
                units::bytes(keyspace.bytes),
                keyspace.rate.clone(),
                if keyspace.digest_equal { "yes" } else { "NO" }.to_owned(),
                keyspace.reason.to_owned(),
            ]
        };
        let rows: Vec<_> = self.keyspaces.iter().map(row).collect();
        output.line("")?;
        output.table(&head, &rows)?;
        let broken = self.checks.iter().filter(|check| !check.ok).count();
        let verdict = if self.ok {
            output.green(&format!("All {} promises held", self.checks.len()))
        } else {
            output.red(&format!(
                "{broken} of {} promises were broken",
                self.checks.len()
            ))
        };
        let rows = units::count(self.rows);
        output.line(&format!(
            "\n{verdict}: {rows} rows, {}.",
            units::span(self.span)
        ))
    }
}

/// Prints what there is to say when the demo could not be played to its end.
pub(crate) fn print_abort(
    failure: &Failure,
    stage: &Stage,
    seed: u64,
    span: Duration,
    output: Output,
) -> Result<(), Failure> {
    output.object(&serde_json::json!({
        "ok": false,
        "seconds": span.as_secs_f64(),
        "seed": seed,
        "keyspaces": [],
        "catch_up": null,
        "failover": null,
        "checks": stage.checks(),
        "error": failure.to_string(),
    }))
}

fn keyspace(scene: &Scene, found: Agreement) -> KeyspaceReport {
    let descriptor = scene.keyspace.descriptor();
    let imported = scene.imported;
    KeyspaceReport {
        name: descriptor.name.clone(),
        protocol: descriptor.protocol.name.clone(),
        acks: descriptor.options.acks.to_string(),
        resolver: descriptor
            .resolver
            .as_ref()
            .map(|resolver| resolver.name.clone()),
        log_format: descriptor.log_format.name.clone(),
        engine: descriptor.engine.name.clone(),
        leader: scene.part.holders().next().unwrap_or_default().0,
        copies: scene.part.nodes.len(),
        rows: found.rows,
        bytes: imported.bytes,
        import_seconds: imported.span.as_secs_f64(),
        rows_per_second: units::per_second(imported.rows, imported.span),
        digest_equal: found.is_equal,
        rate: units::rate(imported.rows, imported.span),
        reason: scene.part.reason,
    }
}
