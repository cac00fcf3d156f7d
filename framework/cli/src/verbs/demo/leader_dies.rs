//! A leader is killed while clients write: who takes over, how soon, and what is lost.

use repertoire_bench::{FailoverOptions, WritesReport, failover};
use serde::Serialize;

use super::stage::Stage;
use crate::failure::Failure;
use crate::units;

/// Seconds that writes flow before the kill, and after they flow again.
const STEADY: f64 = 0.5;

/// A pause that nobody complains about.
const GOAL_MS: f64 = 1000.0;

/// A longer pause breaks the promise. Far beyond the goal: machines differ, and are busy.
const LIMIT_MS: f64 = 5000.0;

/// Lost keys that are told; the report in JSON has all of them.
const TOLD: usize = 10;

/// What the leader's death did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeaderDeath {
    /// The node that was killed.
    node: u64,
    /// Writes a second, of each keyspace.
    rate_per_second: u64,
    /// From the last acknowledgement before the kill to the first one after it, of the keyspace with
    /// semi-synchronous acknowledgements.
    unavailable_ms: f64,
    goal_ms: f64,
    is_goal_met: bool,
    /// Its writes.
    #[serde(flatten)]
    semi_sync: WritesReport,
    /// The writes of the keyspace with asynchronous acknowledgements.
    #[serde(rename = "async")]
    asynchronous: WritesReport,
}

/// Plays it, with nodes in processes of their own: what lives in this one cannot be killed.
pub(crate) async fn play(stage: &mut Stage) -> Result<LeaderDeath, Failure> {
    stage.say("Three more nodes, each a process of its own, elect leaders (failover = \"elect\").");
    stage.say("Clients write 1,000 times a second with semi-sync(1), and as often with async.");
    stage.say("The followers are held for a tenth of a second, then kill -9 for the leader …");
    let options = FailoverOptions {
        kills: 1,
        steady: STEADY,
        async_too: true,
        ..FailoverOptions::default()
    };
    let seen = failover(options).await?;
    let death = LeaderDeath {
        node: seen.killed.first().copied().unwrap_or(0),
        rate_per_second: seen.rate_per_second,
        unavailable_ms: seen.unavailable_ms_max,
        goal_ms: GOAL_MS,
        is_goal_met: seen.unavailable_ms_max <= GOAL_MS,
        semi_sync: seen.writes,
        asynchronous: seen.async_writes.unwrap_or_default(),
    };
    death.tell(stage);
    Ok(death)
}

impl LeaderDeath {
    fn tell(&self, stage: &mut Stage) {
        let (kept, risked) = (&self.semi_sync, &self.asynchronous);
        let verdict = if self.is_goal_met { "met" } else { "missed" };
        let told = format!(
            "No acknowledgement for {:.0} ms, then from the next leader (goal: one second, {verdict})",
            self.unavailable_ms
        );
        stage.check("leader_replaced", self.unavailable_ms <= LIMIT_MS, told);
        let told = format!(
            "semi-sync(1): {} acknowledged writes, {} lost",
            units::count(kept.acknowledged),
            units::count(kept.lost_acknowledged)
        );
        stage.check("semi_sync_loses_nothing", kept.lost_acknowledged == 0, told);
        stage.say(&format!(
            "async: {} acknowledged writes, {} lost",
            units::count(risked.acknowledged),
            units::count(risked.lost_acknowledged)
        ));
        let count = risked.lost_keys.len();
        for keys in risked.lost_keys.chunks(TOLD / 2).take(2) {
            stage.say(&format!("  {}", keys.join(" ")));
        }
        if count > TOLD {
            stage.say(&format!("  and {} more", count - TOLD));
        }
        let told = format!(
            "{} lost writes are listed by `repertoire discarded`, to be replayed or given up",
            units::count(risked.lost_listed)
        );
        let is_listed = risked.lost_listed == risked.lost_acknowledged;
        stage.check("lost_writes_are_listed", is_listed, told);
        stage.say("  An asynchronous acknowledgement promises one copy only, the leader's.");
        let is_equal = kept.digests_equal && risked.digests_equal;
        let verdict = if is_equal { "equal" } else { "different" };
        let told = format!(
            "The killed node is back, and has what the others have: {verdict} digests on all nodes"
        );
        stage.check("digests_equal_after_failover", is_equal, told);
    }
}
