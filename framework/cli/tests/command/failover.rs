//! `kill -9` of leaders, again and again, under a steady load.

use repertoire_bench::{FailoverOptions, failover};

/// Leaders that are killed.
const KILLS: usize = 20;

/// Seconds that writes flow before each kill and after it.
const STEADY: f64 = 0.1;

/// Writes acknowledged at least: half of what is asked for while the old leader is found missing, because
/// the machine may be busy.
const ENOUGH: u64 = 5_000;

#[expect(
    clippy::print_stdout,
    reason = "what was done, for those who read the log"
)]
#[tokio::test(flavor = "multi_thread")]
async fn twenty_killed_leaders_lose_no_acknowledged_write() {
    let mut options = FailoverOptions::default();
    options.load.program = Some(env!("CARGO_BIN_EXE_repertoire").into());
    options.kills = KILLS;
    options.steady = STEADY;
    // It fails when no write is acknowledged after one of the kills.
    let report = failover(options).await.unwrap();
    let (kills, writes) = (report.kills, &report.writes);
    println!(
        "{kills} leaders killed, {} acknowledged writes, none for {:.0} ms at most, {} lost",
        writes.acknowledged, report.unavailable_ms_max, writes.lost_acknowledged,
    );
    assert_eq!(kills, KILLS);
    assert_eq!(report.unavailable_ms.len(), KILLS, "{report:?}");
    assert_eq!(writes.lost_acknowledged, 0, "{report:?}");
    assert!(writes.digests_equal, "{report:?}");
    assert!(writes.acknowledged >= ENOUGH, "{report:?}");
}
