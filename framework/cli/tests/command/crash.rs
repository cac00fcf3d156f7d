//! `kill -9` of all nodes under load, and the same with the power.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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

/// Writes under load until `crash` has ended every node. Returns what was acknowledged.
fn load(shop: &Shop, crash: impl FnOnce() + Send + 'static) -> BTreeSet<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let acknowledged = runtime.block_on(async {
        let keyspace = keyspace(shop).await;
        let written = write_until_the_end(keyspace, crash);
        tokio::time::timeout(PATIENCE, written)
            .await
            .expect("the load ends")
    });
    assert!(acknowledged.len() >= ENOUGH);
    acknowledged
}

/// The acknowledged writes that a running cluster does not hold.
fn lost(shop: &Shop, acknowledged: &BTreeSet<u64>) -> Vec<u64> {
    let export = shop
        .run(&["export", "--keyspace", "accounts", "--deadline", "30s"])
        .ok();
    let rows: BTreeSet<&str> = export.text().lines().collect();
    let row = |number: &u64| format!("key-{number:08},value-{number}");
    let lost = acknowledged
        .iter()
        .filter(|number| !rows.contains(row(number).as_str()));
    lost.copied().collect()
}

fn assert_none_lost(shop: &Shop, acknowledged: &BTreeSet<u64>) {
    let lost = lost(shop, acknowledged);
    let (count, of) = (lost.len(), acknowledged.len());
    assert!(lost.is_empty(), "{count} of {of} are lost: {lost:?}");
}

#[test]
fn every_acknowledged_write_is_there_after_all_nodes_were_killed() {
    let mut shop = Shop::open();
    let pids: Vec<String> = shop.pids();
    let acknowledged = load(&shop, move || {
        let killed = std::process::Command::new("kill")
            .arg("-9")
            .args(pids)
            .status();
        assert!(killed.unwrap().success());
    });
    for id in 1..=3 {
        shop.kill(id);
    }
    shop.start_all();
    assert_none_lost(&shop, &acknowledged);
}

/// A cluster whose nodes lose power, all at once, when the answered file appears.
fn shop_with_power(extra: &[(&str, &str)]) -> (Shop, PathBuf) {
    let mut shop = Shop::prepare();
    let (library, switch) = (shop.file("power.so"), shop.file("power-off"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command/power.c");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", source, "-ldl", "-lpthread", "-o"])
        .arg(&library)
        .status();
    assert!(built.expect("a C compiler, as the README says").success());
    shop.set_env("LD_PRELOAD", &library);
    shop.set_env("POWER_OFF", &switch);
    for (name, value) in extra {
        shop.set_env(name, value.as_ref());
    }
    shop.start_all();
    (shop, switch)
}

/// Cuts the power of all nodes under load; answers what had been acknowledged.
fn cut_power(shop: &mut Shop, switch: &Path) -> BTreeSet<u64> {
    let cut = switch.to_path_buf();
    let acknowledged = load(shop, move || std::fs::write(cut, "").unwrap());
    for id in 1..=3 {
        shop.join(id);
    }
    std::fs::remove_file(switch).unwrap();
    acknowledged
}

#[test]
fn every_acknowledged_write_is_there_after_the_power_failed() {
    let (mut shop, switch) = shop_with_power(&[]);
    let acknowledged = cut_power(&mut shop, &switch);
    shop.start_all();
    assert_none_lost(&shop, &acknowledged);
}

/// The test above can fail: a disk that lies about `fdatasync` loses what was acknowledged.
#[test]
fn a_disk_that_lies_loses_acknowledged_writes() {
    let (mut shop, switch) = shop_with_power(&[("POWER_LIES", "1")]);
    let acknowledged = cut_power(&mut shop, &switch);
    shop.start_all();
    assert!(!lost(&shop, &acknowledged).is_empty());
}

/// So can a node that acknowledges before the sync: run with `--features sabotage`.
#[cfg(feature = "sabotage")]
#[test]
fn a_log_that_skips_syncs_loses_acknowledged_writes() {
    let (mut shop, switch) = shop_with_power(&[("REPERTOIRE_PLANTED", "SyncSkipped")]);
    let acknowledged = cut_power(&mut shop, &switch);
    shop.start_all();
    assert!(!lost(&shop, &acknowledged).is_empty());
}
