//! The protocol told message by message: each script under `scenarios` is a story whose expected
//! output is the trace. `UPDATE_GOLDENFILES=1` writes the traces anew; review them as a diff.

#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, and says why"
)]

mod harness;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use goldenscript::{Command, Context, Runner};
use harness::{Cluster, descriptor};
use repertoire_core::{
    Acks, Durability, EntryId, Incarnation, Lag, LeaderEpoch, Lsn, MemberChange, NodeId, PeerEvent,
    Position, Promotion, Protocol, ReadLevel, Role,
};

/// Runs the commands of one script.
struct Story {
    cluster: Option<Cluster>,
    reads: u64,
}

type Outcome = Result<(), Box<dyn Error>>;

fn parse_acks(text: &str) -> Result<Acks, Box<dyn Error>> {
    Ok(match text {
        "async" => Acks::Async,
        "semi-sync" => Acks::SemiSync(1),
        "sync" => Acks::Sync,
        "majority" => Acks::Majority,
        other => Acks::SemiSync(other.parse()?),
    })
}

fn parse_level(text: &str) -> Result<ReadLevel, Box<dyn Error>> {
    Ok(match text {
        "local" => ReadLevel::Local,
        "leader" => ReadLevel::Leader,
        bound if bound.starts_with("within/") => {
            let age_max = Duration::from_millis(bound.trim_start_matches("within/").parse()?);
            ReadLevel::Bounded(Lag::of(age_max))
        }
        positions => {
            let ids = positions.split('/').map(parse_position);
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            ReadLevel::Session(match ids.as_slice() {
                [only] => Position::Entry(*only),
                _ => Position::Entries(ids),
            })
        }
    })
}

fn parse_position(text: &str) -> Result<EntryId, Box<dyn Error>> {
    let (lsn, epoch) = text.split_once('@').ok_or("a position is lsn@epoch")?;
    let (epoch, lsn) = (LeaderEpoch(epoch.parse()?), Lsn(lsn.parse()?));
    Ok(EntryId::new(epoch, lsn))
}

impl Story {
    fn cluster(&mut self) -> Result<&mut Cluster, Box<dyn Error>> {
        self.cluster
            .as_mut()
            .ok_or_else(|| "begin with `cluster`".into())
    }

    /// `cluster nodes=3 durability=disk append_bytes_max=1024 …`: boots, in silence.
    fn begin(&mut self, command: &Command) -> Outcome {
        let mut args = command.consume_args();
        let mut descriptor = descriptor(args.take_key("nodes").unwrap_or("3").parse()?);
        descriptor.options.durability = match args.take_key("durability") {
            Some("memory") => Durability::Memory,
            Some("os") => Durability::Os,
            _ => Durability::Disk,
        };
        if let Some(acks) = args.take_key("acks") {
            descriptor.options.acks = parse_acks(acks)?;
        }
        let mut settings = Vec::new();
        if let Some(failover) = args.take_key("failover") {
            settings.push(format!(r#""failover": "{failover}""#));
        }
        if let Some(answer) = args.take_key("lease_reads") {
            settings.push(format!(r#""lease_reads": {answer}"#));
        }
        for name in [
            "append_bytes_max",
            "window_bytes",
            "cache_bytes",
            "quiescent_after_ms",
            "quiescent_heartbeat_ms",
        ] {
            if let Some(value) = args.take_key(name) {
                settings.push(format!(r#""{name}": {value}"#));
            }
        }
        let is_elected = settings
            .iter()
            .any(|setting| setting.contains("elect") || setting.contains("appoint"));
        args.reject_next()?;
        descriptor.plugin_options = format!(r#"{{"single-leader": {{{}}}}}"#, settings.join(","));
        let mut cluster = Cluster::new(descriptor);
        cluster.drive_bounded();
        // Long enough for a first election, and for the news of it.
        cluster.tick(if is_elected { 52 } else { 2 }, true);
        cluster.take_trace();
        self.cluster = Some(cluster);
        Ok(())
    }

    fn propose(&mut self, command: &Command) -> Outcome {
        let mut args = command.consume_args();
        let acks = parse_acks(args.take_key("acks").unwrap_or("async"))?;
        let count = args.take_key("count").unwrap_or("1").parse()?;
        let node = args.next_pos().ok_or("which node?")?.parse()?;
        let text = args.next_pos().ok_or("which text?")?;
        args.reject_next()?;
        self.cluster()?.propose(node, text, count, acks);
        Ok(())
    }

    fn read(&mut self, node: u64, level: &str) -> Outcome {
        self.reads += 1;
        let (ticket, level) = (self.reads, parse_level(level)?);
        self.cluster()?.read(node, ticket, &level);
        Ok(())
    }

    fn status(&mut self) -> Result<String, Box<dyn Error>> {
        let cluster = self.cluster()?;
        let mut lines = Vec::new();
        for id in cluster.nodes.keys() {
            let line = match cluster.status(*id) {
                None => "down".to_owned(),
                Some(status) => {
                    let role = match status.role {
                        Role::Leader => "leads",
                        Role::Follower => "follows",
                        Role::Peer => "peer",
                    };
                    let (visible, durable) = (status.applied_lsn.0, status.durable_lsn.0);
                    let (epoch, last) = (status.epoch.0, status.last);
                    let discarded = match status.details.get("discarded_writes") {
                        Some(writes @ 1..) => format!(", discarded writes: {writes}"),
                        _ => String::new(),
                    };
                    format!(
                        "{role} in epoch {epoch}, last {last}, durable {durable}, visible {visible}{discarded}"
                    )
                }
            };
            lines.push(format!("n{id} {line}\n"));
        }
        Ok(lines.concat())
    }

    /// Commands about the links between two nodes.
    fn link(&mut self, verb: &str, a: u64, b: u64) -> Outcome {
        let cluster = self.cluster()?;
        let queue = cluster.links.entry((a, b)).or_default();
        match verb {
            "deliver" => drop(cluster.deliver_one(a, b)),
            "drop" => drop(queue.pop_front()),
            "duplicate" => queue.extend(queue.front().cloned()),
            "delay" => queue.rotate_left(queue.len().min(1)),
            "cut" => {
                cluster.cut.insert((a, b));
                cluster.cut.insert((b, a));
            }
            "up" => cluster.peer(a, b, PeerEvent::Up),
            "down" => cluster.peer(a, b, PeerEvent::Down),
            "silent" => cluster.peer(a, b, PeerEvent::Silent),
            "writable" => cluster.peer(a, b, PeerEvent::Writable),
            other => return Err(format!("no such verb: {other}").into()),
        }
        Ok(())
    }

    /// Commands about one node.
    fn node(&mut self, verb: &str, id: u64) -> Outcome {
        let cluster = self.cluster()?;
        match verb {
            // Syncs wait until `release`.
            "hold" => cluster.node_mut(id).is_held = true,
            "release" => cluster.node_mut(id).is_held = false,
            "sync" => drop(cluster.sync(id)),
            "crash" => cluster.crash(id, 0),
            // A node that has no replica yet starts one.
            "join" => cluster.join(id),
            // The catalogue has learned from this node who belongs to the group.
            "mirror" => cluster.mirror(id),
            "members" => {
                let machine = cluster.node(id).machine.as_ref().ok_or("it is down")?;
                let view = machine.members().ok_or("no members")?;
                let state = if view.is_settled {
                    "settled"
                } else {
                    "may be taken back"
                };
                let shown = harness::show::members(&view.membership);
                cluster.note(id, &format!("goes by {shown}, {state}"));
            }
            "wipe" => cluster.wipe(id),
            "boot" => cluster.boot(id),
            "checkpoint" => cluster.checkpoint(id),
            // The next boots take this node for the leader.
            "appoint" => {
                let mut descriptor = cluster.descriptor.as_ref().clone();
                descriptor.plugin_options = format!(r#"{{"single-leader": {{"leader": {id}}}}}"#);
                cluster.descriptor = Arc::new(descriptor);
            }
            other => return Err(format!("no such verb: {other}").into()),
        }
        Ok(())
    }
}

impl Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let mut number = || -> Result<u64, Box<dyn Error>> {
            Ok(args.next_pos().ok_or("a number is missing")?.parse()?)
        };
        match command.name.as_str() {
            "cluster" => self.begin(command)?,
            "propose" => self.propose(command)?,
            "status" => return self.status(),
            "settle" => self.cluster()?.drive_bounded(),
            "tick" => self.cluster()?.tick(number()?, true),
            "wait" => self.cluster()?.tick(number()?, false),
            "heal" => self.cluster()?.cut.clear(),
            "snapshot-arrives" => self.cluster()?.transfer(true),
            "snapshot-fails" => self.cluster()?.transfer(false),
            // `add LEADER NODE [replaces=OTHER] [disk=NUMBER]`
            "add" => {
                let (leader, node) = (number()?, number()?);
                let replaces = args.take_key("replaces");
                let replaces = replaces.map(str::parse).transpose()?.map(NodeId);
                let disk = args.take_key("disk").map(str::parse).transpose()?;
                let known = self.cluster()?.disk_of(node);
                let change = MemberChange::Add {
                    node: NodeId(node),
                    incarnation: disk.map_or(known, Incarnation),
                    votes: true,
                    replaces,
                };
                self.cluster()?.change_members(leader, &change);
            }
            "remove" => {
                let (leader, node) = (number()?, NodeId(number()?));
                self.cluster()?
                    .change_members(leader, &MemberChange::Remove { node });
            }
            "transfer" => {
                let (from, to) = (number()?, number()?);
                self.cluster()?.hand_over(from, to);
            }
            "promote" => {
                let (node, epoch) = (number()?, number()?);
                let mut promotion = Promotion::of(LeaderEpoch(epoch));
                promotion.accept_data_loss = args.next_pos() == Some("accept-data-loss");
                self.cluster()?.promote(node, promotion);
            }
            "read" => {
                let node = number()?;
                let level = args.next_pos().ok_or("which level?")?;
                self.read(node, level)?;
            }
            verb @ ("hold" | "release" | "sync" | "crash" | "wipe" | "boot" | "checkpoint"
            | "appoint" | "join" | "members" | "mirror") => {
                self.node(verb, number()?)?;
            }
            verb => self.link(verb, number()?, number()?)?,
        }
        Ok(self.cluster()?.take_trace())
    }
}

#[test]
fn every_script_tells_what_happens() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios");
    let mut scripts: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "there are scripts");
    for script in scripts {
        eprintln!("{}", script.display());
        let mut story = Story {
            cluster: None,
            reads: 0,
        };
        goldenscript::run(&mut story, &script).expect("a script that runs");
    }
}
