//! Each anomaly is seen where nothing keeps it away, and not where something does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use lag_anomalies::{Lab, Row, all, table};

#[tokio::test]
async fn weak_reads_show_every_anomaly_and_right_ones_none() {
    let lab = Lab::start().await.unwrap();
    let rows = all(&lab).await.unwrap();
    lab.stop().await.unwrap();

    let shown = table(&rows);
    assert!(rows.iter().all(Row::is_as_promised), "{shown}");
    let weak = rows.iter().filter(|row| !row.is_promised).count();
    assert_eq!((weak, rows.len() - weak), (8, 11), "{shown}");
    // What exactly is seen does not depend on timing, but for what a session may have to wait for.
    for (anomaly, reads, shows) in [
        ("own write is missing", "any follower", "nothing"),
        ("missing on another device", "a new session", "nothing"),
        (
            "time goes back",
            "any follower, twice",
            "1 result, then nothing",
        ),
        (
            "answer before its question",
            "any follower",
            "\"ten seconds\", to nothing",
        ),
        (
            "answer before its question",
            "any follower, both keys with one {tag}",
            "nothing",
        ),
        (
            "the same in two keyspaces",
            "any follower",
            "\"ten seconds\", to nothing",
        ),
        (
            "a dashboard shows old news",
            "bounded to 50 ms",
            "all is lost",
        ),
    ] {
        let found = rows
            .iter()
            .find(|row| row.anomaly == anomaly && row.reads == reads);
        assert_eq!(found.map(|row| row.shows.as_str()), Some(shows), "{shown}");
    }
}
