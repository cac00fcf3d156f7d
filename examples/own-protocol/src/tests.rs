//! The protocol under the simulator, which judges by its own account of what reached each disk; and what
//! the protocol refuses.

use repertoire_core::{
    Acks, Descriptor, Durability, Entry, EntryId, KeyspaceId, LeaderEpoch, Lsn, NodeId, Protocol,
    WireMessage,
};
use repertoire_sim::{CampaignConfig, Fault, FaultMix, RunConfig, campaign_with};

use crate::planted::{Bug, plant};
use crate::{Chain, Forward, Head, Held, Message, NAME, simulate};

/// Seeds of a campaign. `chain sim --protocol chain --seeds 3000` runs more.
const SEEDS: u64 = 120;

/// Seeds after which a planted bug has escaped. Most are found within ten.
const HUNT_SEEDS: u64 = 400;

/// Inputs to replicas in each seed, before its faults end.
const STEPS: u64 = 4_000;

// ANCHOR: campaign
#[test]
fn every_promise_holds_under_faults() {
    let mut config = CampaignConfig::new(NAME, 1, SEEDS);
    config.steps_per_seed = STEPS;
    config.threads = 2;
    let report = campaign_with(&config, || 0.0, &simulate);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    // A run in which nothing succeeds, or nothing goes wrong, proves nothing.
    assert!(report.operations_succeeded_percent > 60.0, "{report:?}");
    for fault in ["crash", "power-loss", "message-drop", "message-duplicate"] {
        assert!(report.faults[fault] > 0, "{fault}");
    }
    for fault in ["message-reorder", "partition", "bit-rot"] {
        assert!(report.faults[fault] > 0, "{fault}");
    }
    for situation in ["unsynced-tail-lost", "rotten-log-found", "log-trimmed"] {
        assert!(report.sometimes[situation] > 0, "{situation}");
    }
}
// ANCHOR_END: campaign

/// The invariant that finds a planted bug first, under these faults, or any.
fn caught_by(bug: Bug, faults: Option<FaultMix>) -> String {
    plant(Some(bug));
    let found = (1..=HUNT_SEEDS).find_map(|seed| {
        let mut config = RunConfig::new(NAME, seed).with_steps(STEPS);
        config.faults.clone_from(&faults);
        simulate(&config).violations.into_iter().next()
    });
    plant(None);
    found.expect("the bug escaped").invariant
}

// ANCHOR: planted
#[test]
fn an_acknowledgement_before_the_tail_holds_it_is_caught() {
    assert_eq!(caught_by(Bug::AckBeforeTail, None), "A1.durable-ack");
}

#[test]
fn forwarding_what_may_still_be_lost_is_caught() {
    assert_eq!(caught_by(Bug::ForwardBeforeDurable, None), "A1.durable-ack");
}

#[test]
fn a_tail_that_is_read_before_the_head_knows_is_caught() {
    // Cut off from the tail, the head does not know for a while what others show.
    let mut faults = FaultMix::none();
    faults.set(Fault::Partition, 20_000);
    let found = caught_by(Bug::ShownBeforeTheHead, Some(faults));
    assert_eq!(found, "SL7.monotonic-reads");
}

#[test]
fn an_epoch_used_twice_is_caught() {
    assert_eq!(caught_by(Bug::EpochReused, None), "SL2.log-matching");
}
// ANCHOR_END: planted

// ANCHOR: conformance
#[test]
fn the_contract_of_protocols_holds() {
    repertoire_conformance::protocol::check_all::<Chain>(&descriptor());
}
// ANCHOR_END: conformance

fn descriptor() -> Descriptor {
    let nodes = [1, 2, 3].map(NodeId);
    let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "orders", NAME, &nodes);
    descriptor.options.acks = Acks::Sync;
    descriptor
}

#[test]
fn refusals_name_keyspace_setting_and_remedy() {
    assert!(Chain::validate(&descriptor()).is_ok());
    let refused = |setting: &str, change: fn(&mut Descriptor)| {
        let mut descriptor = descriptor();
        change(&mut descriptor);
        let error = Chain::validate(&descriptor).unwrap_err().to_string();
        for word in ["orders", setting, "remedy"] {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    refused("acks", |d| d.options.acks = Acks::Majority);
    refused("durability", |d| d.options.durability = Durability::Os);
    refused("placement", |d| {
        d.placement.shards.values_mut().for_each(Vec::clear)
    });
    refused("ask_interval_ms", |d| {
        d.plugin_options = r#"{"chain": {"ask_interval_ms": 0}}"#.to_owned();
    });
}

#[test]
fn messages_survive_the_wire_and_disorder_does_not() {
    let entry = |epoch, first| Entry {
        epoch: LeaderEpoch(epoch),
        first: Lsn(first),
        count: 2,
        body: vec![7; 30].into(),
        ..Entry::default()
    };
    let id = |epoch, lsn| EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
    let (have, through) = (id(2, 9), id(1, 4));
    let asks = true;
    let held = Message::Held(Held {
        have,
        through,
        asks,
    });
    let forward = |entries| {
        Message::Forward(Forward {
            epoch: LeaderEpoch(2),
            prev: id(1, 4),
            commit: id(1, 3),
            entries,
        })
    };
    let whole = forward(vec![entry(1, 5), entry(2, 7)]);
    for message in [held, whole.clone(), forward(vec![])] {
        assert_eq!(Message::decode(message.clone().encode()).unwrap(), message);
    }
    let hole = vec![entry(1, 5), entry(2, 8)];
    let from_the_future = vec![entry(1, 5), entry(3, 7)];
    let backwards = vec![entry(2, 5), entry(1, 7)];
    for entries in [hole, from_the_future, backwards] {
        assert!(Message::decode(forward(entries).encode()).is_err());
    }
    let (
        Head::Forward {
            epoch,
            prev,
            commit,
            ..
        },
        body,
    ) = whole.into_parts()
    else {
        panic!("it is a forward");
    };
    for count in [1, 3] {
        let head = Head::Forward {
            epoch,
            prev,
            commit,
            count,
        };
        assert!(Message::from_parts(head, body.clone()).is_err());
    }
}
