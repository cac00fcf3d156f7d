//! `kill -9` of all nodes under load.

use std::collections::BTreeSet;
use std::time::Duration;

use repertoire::certs::{TlsFiles, TlsIdentity};
use repertoire::core::Operation;
use repertoire_client::{Client, Completion, Keyspace};

use crate::support::{PATIENCE, Shop};

/// Writes that were acknowledged before the crash.
const ENOUGH: usize = 20_000;

/// Writes in one submission.
const BATCH: u64 = 200;

async fn keyspace(shop: &Shop) -> Keyspace {
    let certs = shop.file("certs");
    let tls = TlsIdentity::load(&TlsFiles {
        ca: certs.join("ca.pem"),
        cert: certs.join("client.pem"),
        key: certs.join("client.key"),
    })
    .unwrap();
    let builder = Client::builder().address(shop.address(1)).tls(tls);
    let client = builder
        .deadline(Duration::from_secs(3))
        .buffer(1 << 20)
        .build()
        .await
        .unwrap();
    client.keyspace("accounts").await.unwrap()
}

fn put(number: u64) -> bytes::Bytes {
    let (key, value) = (format!("key-{number:08}"), format!("value-{number}"));
    let (key, value) = (key.as_bytes(), value.as_bytes());
    Operation::Put {
        key,
        value,
        expires_at: None,
    }
    .encode()
}

/// Writes until the nodes are gone and every write has ended. Returns those that were
/// acknowledged.
async fn write_until_the_end(
    keyspace: Keyspace,
    crash: impl FnOnce() + Send + 'static,
) -> BTreeSet<u64> {
    let (pipeline, mut completions) = keyspace.pipeline();
    let (mut submitted, mut ended, mut is_over) = (0, 0, false);
    let (mut acknowledged, mut batch) = (BTreeSet::new(), Vec::new());
    let mut crash = Some(crash);
    while !is_over || ended < submitted {
        if is_over {
            completions.next(&mut batch).await;
        } else {
            // Tickets count from 1, as the keys do.
            let puts = (1..=BATCH).map(|offset| put(submitted + offset));
            pipeline.submit(puts.collect()).await.unwrap();
            submitted += BATCH;
            completions.try_next(&mut batch);
        }
        for completion in batch.drain(..) {
            ended += completion.count();
            if let Completion::Written { first, count, .. } = completion {
                acknowledged.extend(first..first + count);
            } else {
                is_over = true;
            }
        }
        if acknowledged.len() >= ENOUGH
            && let Some(crash) = crash.take()
        {
            std::thread::spawn(crash);
        }
    }
    acknowledged
}

#[test]
fn every_acknowledged_write_is_there_after_all_nodes_were_killed() {
    let mut shop = Shop::open();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let pids: Vec<String> = shop.pids();
    let crash = move || {
        let killed = std::process::Command::new("kill")
            .arg("-9")
            .args(pids)
            .status();
        assert!(killed.unwrap().success());
    };
    let acknowledged = runtime.block_on(async {
        let keyspace = keyspace(&shop).await;
        let written = write_until_the_end(keyspace, crash);
        tokio::time::timeout(PATIENCE, written)
            .await
            .expect("the load ends")
    });
    drop(runtime);
    for id in 1..=3 {
        shop.kill(id);
    }
    shop.start_all();
    let export = shop
        .run(&["export", "--keyspace", "accounts", "--deadline", "30s"])
        .ok();
    let rows: BTreeSet<&str> = export.text().lines().collect();
    let row = |number: &u64| format!("key-{number:08},value-{number}");
    let lost = acknowledged
        .iter()
        .filter(|number| !rows.contains(row(number).as_str()));
    let lost: Vec<_> = lost.collect();
    assert!(acknowledged.len() >= ENOUGH);
    assert!(
        lost.is_empty(),
        "{} of {} are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
}
