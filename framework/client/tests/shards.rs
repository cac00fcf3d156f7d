//! Keyspaces of eight shards on three real nodes, by clients of both kinds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use repertoire::LocalCluster;
use repertoire::core::{ErrorKind, Lag, NodeId, Operation, ReadLevel, ReadQuery, Row, ShardId};
use repertoire_client::{Client, Keyspace};
use support::{embedded, remote, sharded_cluster};

const KEYS: u32 = 600;

fn name(number: u32) -> String {
    format!("user-{number:04}")
}

async fn fill(keyspace: &Keyspace) {
    let names: Vec<String> = (0..KEYS).map(name).collect();
    let put = |key| Operation::Put {
        key,
        value: key,
        expires_at: None,
    };
    let puts: Vec<_> = names.iter().map(|key| put(key.as_bytes())).collect();
    let done = keyspace.batch_per_shard(&puts).await;
    assert_eq!(done.len(), 8);
    assert!(done.values().all(Result::is_ok), "{done:?}");
}

async fn all_rows(keyspace: &Keyspace, page: usize) -> Vec<Row> {
    let (mut rows, mut all) = (keyspace.rows("", ""), Vec::new());
    while let Some(next) = rows.next(page).await.unwrap() {
        assert!(next.len() == page || rows.next(1).await.unwrap().is_none());
        all.extend(next);
    }
    all
}

fn keys(rows: &[Row]) -> Vec<String> {
    let text = |row: &Row| String::from_utf8(row.key.to_vec()).unwrap();
    rows.iter().map(text).collect()
}

/// How many shards of a keyspace each node leads, as the nodes say themselves.
async fn leaders(cluster: &LocalCluster, client: &Client, keyspace: &str) -> BTreeMap<u64, usize> {
    let mut led = BTreeMap::new();
    for node in cluster.ids() {
        let Ok(status) = client.status(node).await else {
            continue;
        };
        let groups = status["groups"].as_array().unwrap();
        let mine = groups
            .iter()
            .filter(|group| group["keyspace"] == keyspace && group["role"] == "leader");
        led.insert(node.0, mine.count());
    }
    led
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_shards_are_one_keyspace_to_their_clients() {
    let cluster = sharded_cluster().await;
    let inside = embedded(&cluster, 2).await;
    let outside = remote(&cluster, 3).await;
    for client in [&inside, &outside] {
        for keyspace in ["fixed", "elected"] {
            let keyspace = client.keyspace(keyspace).await.unwrap();
            fill(&keyspace).await;
            check_reads(&keyspace).await;
            check_atomicity(&keyspace).await;
        }
    }
    assert_eq!(
        leaders(&cluster, &inside, "fixed").await,
        BTreeMap::from([(1, 3), (2, 3), (3, 2)])
    );
    cluster.stop().await.unwrap();
}

async fn check_reads(keyspace: &Keyspace) {
    let expected: Vec<String> = (0..KEYS).map(name).collect();
    for page in [7, 1000] {
        assert_eq!(keys(&all_rows(keyspace, page).await), expected);
    }
    let mut some = keyspace.rows(name(10), name(13));
    let found = some.next(10).await.unwrap().unwrap();
    assert_eq!(keys(&found), [name(10), name(11), name(12)]);
    assert!(some.next(10).await.unwrap().is_none());
    let counts = keyspace.count_all().await.unwrap();
    assert_eq!(counts.total(), u64::from(KEYS));
    // Six standard deviations of a fair draw among eight: √(600 · ⅛ · ⅞) ≈ 8.
    let is_even = |count: u64| count.abs_diff(u64::from(KEYS) / 8) < 6 * 8;
    assert!(
        counts.shards.values().all(|(_, it)| is_even(*it)),
        "{counts:?}"
    );
    let (_, value) = keyspace.get(name(77)).await.unwrap();
    assert_eq!(value.as_deref(), Some(name(77).as_bytes()));
    let digest = keyspace.digest_all().await.unwrap().combined();
    assert_eq!(keyspace.digest_all().await.unwrap().combined(), digest);
    let one_of_eight = keyspace.scan("", "", 1).await.unwrap_err();
    assert_eq!(*one_of_eight.kind(), ErrorKind::Unsupported);
    let (pipeline, _completions) = keyspace.pipeline();
    let partial = pipeline.submit_reads(vec![ReadQuery::Count]).await;
    assert_eq!(*partial.unwrap_err().kind(), ErrorKind::Unsupported);
}

async fn check_atomicity(keyspace: &Keyspace) {
    let put = |key: &'static [u8]| Operation::Put {
        key,
        value: b"x",
        expires_at: None,
    };
    let across = keyspace.batch(vec![put(b"a"), put(b"{user-7}.b")]).await;
    let error = across.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("{tag}"), "{error}");
    assert_eq!(
        keyspace.get("a").await.unwrap().1,
        None,
        "nothing of it is done"
    );
    let call = keyspace.call("nowhere", "").await.unwrap_err();
    assert!(call.to_string().contains("near a key"), "{call}");
    let together = vec![put(b"{user-7}.a"), put(b"{user-7}.b")];
    keyspace.batch(together).await.unwrap();
    for key in ["{user-7}.a", "{user-7}.b"] {
        assert!(keyspace.get(key).await.unwrap().1.is_some());
        keyspace.delete(key).await.unwrap();
    }
}

/// A session's reads of any shard contain what it wrote there, whichever replica serves; whoever joins
/// its token sees no answer without its question, although they are in two shards.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_reach_over_shards() {
    let cluster = sharded_cluster().await;
    let client = remote(&cluster, 1).await;
    let poons = client.session("poons");
    let chat = poons.keyspace("elected").await.unwrap();
    for turn in 0..40 {
        let (question, answer) = (format!("question-{turn}"), format!("answer-{turn}"));
        chat.put(&question, "how far?").await.unwrap();
        assert!(chat.get(&question).await.unwrap().is_some());
        let cake = client
            .resume("cake", &poons.token().await.unwrap())
            .await
            .unwrap();
        let theirs = cake.keyspace("elected").await.unwrap();
        assert!(theirs.get(&question).await.unwrap().is_some());
        theirs.put(&answer, "ten seconds").await.unwrap();
        let token = cake.token().await.unwrap();
        let observer = client
            .resume(format!("observer-{turn}"), &token)
            .await
            .unwrap();
        let seen = observer.keyspace("elected").await.unwrap();
        assert!(seen.get(&answer).await.unwrap().is_some());
        assert!(seen.get(&question).await.unwrap().is_some());
    }
    let mut rows = chat.rows("question-", "question-~");
    assert_eq!(rows.next(100).await.unwrap().unwrap().len(), 40);
    cluster.stop().await.unwrap();
}

/// The node that leads some of the shards stops: others take those over, and nothing acknowledged is
/// lost in any shard.
#[tokio::test(flavor = "multi_thread")]
async fn shards_survive_the_stop_of_a_node() {
    let mut cluster = sharded_cluster().await;
    let client = remote(&cluster, 2).await;
    let elected = client.keyspace("elected").await.unwrap();
    fill(&elected).await;
    let led = leaders(&cluster, &client, "elected").await;
    assert_eq!(led.values().sum::<usize>(), 8, "{led:?}");
    let (&gone, &most) = led.iter().max_by_key(|(_, led)| **led).unwrap();
    assert!(most < 8, "one node leads everything: {led:?}");
    cluster.stop_node(NodeId(gone)).await.unwrap();

    let begun = Instant::now();
    for number in 0..KEYS {
        elected.put(name(number), "after").await.unwrap();
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let rows = all_rows(&elected, 100).await;
    assert_eq!(rows.len(), KEYS as usize);
    assert!(rows.iter().all(|row| *row.value == *b"after"));

    cluster.start_node(NodeId(gone)).await.unwrap();
    for shard in (0..8).map(ShardId) {
        let (position, here) = elected.digest(Some(shard)).await.unwrap();
        let follower = elected.at(NodeId(gone)).level(ReadLevel::Session(position));
        let (_, there) = follower.digest(Some(shard)).await.unwrap();
        assert_eq!(there, here, "{shard}");
    }
    let bounded = ReadLevel::Bounded(Lag::of(Duration::from_secs(1)));
    let (_, value) = elected.level(bounded).get(name(3)).await.unwrap();
    assert_eq!(value.as_deref(), Some(b"after".as_slice()));
    cluster.stop().await.unwrap();
}
