//! What a person may know of a node.

use std::sync::atomic::Ordering;

use repertoire_core::Now;
use serde_json::{Value, json};

use super::NodeActor;

impl NodeActor {
    pub(super) fn status(&mut self, now: Now) -> Value {
        let longest_turn = std::mem::take(&mut self.longest_turn);
        let longest_turn_cpu = std::mem::take(&mut self.longest_turn_cpu);
        let groups: Vec<Value> = self.slots.values().map(|slot| group_status(slot)).collect();
        let links: serde_json::Map<String, Value> = self
            .links
            .iter()
            .map(|(peer, up)| (peer.0.to_string(), json!(up)))
            .collect();
        json!({
            "node": self.identity.node.0,
            "cluster": self.identity.cluster.to_string(),
            "incarnation": self.identity.incarnation.to_string(),
            "site": self.identity.site.0,
            "uptime_seconds": now.mono.since(self.started).as_secs_f64(),
            "longest_turn_seconds": longest_turn.as_secs_f64(),
            "longest_turn_cpu_seconds": longest_turn_cpu.as_secs_f64(),
            "log_full": self.log_full,
            "log": {
                "bursts": self.wiring.log_stats.bursts.load(Ordering::Relaxed),
                "syncs": self.wiring.log_stats.syncs.load(Ordering::Relaxed),
                "bytes": self.wiring.log_stats.bytes_on_disk.load(Ordering::Relaxed),
                "operations": self.wiring.log_stats.operations.load(Ordering::Relaxed),
            },
            "snapshot": {
                "chunks_received": self.wiring.transfer_stats.chunks_received.load(Ordering::Relaxed),
                "chunks_stored": self.wiring.transfer_stats.chunks_stored.load(Ordering::Relaxed),
                "chunks_expected": self.wiring.transfer_stats.chunks_expected.load(Ordering::Relaxed),
                "resumed_from": self.wiring.transfer_stats.resumed_from.load(Ordering::Relaxed),
            },
            "links": links,
            "groups": groups,
            "counters": self.counters,
        })
    }
}

fn group_status(slot: &super::Slot) -> Value {
    let mut value = match &slot.host {
        Some(host) => {
            let mut value = serde_json::to_value(host.inspect()).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("writes_in_flight".into(), json!(host.writes_in_flight()));
                object.insert("dedup_clients".into(), json!(host.dedup().clients()));
                object.insert(
                    "apply_backlog_bytes".into(),
                    json!(host.apply_backlog_bytes()),
                );
                object.insert("keys".into(), json!(keys(host)));
            }
            value
        }
        None => json!({}),
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("keyspace".into(), json!(slot.descriptor.name));
        object.insert("keyspace_id".into(), json!(slot.group.keyspace.0));
        object.insert("shard".into(), json!(slot.group.shard.0));
        object.insert(
            "poisoned".into(),
            json!(slot.poison.as_ref().map(ToString::to_string)),
        );
        object.insert("damaged".into(), json!(slot.damaged));
        object.insert("panics".into(), json!(slot.panics));
    }
    value
}

fn keys(host: &repertoire_core::Host<repertoire_core::ErasedMachine>) -> Option<u64> {
    host.engine()?.len(repertoire_core::Space::Data).ok()
}
