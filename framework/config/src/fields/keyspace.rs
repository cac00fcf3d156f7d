//! What a keyspace can be told.

use repertoire_core::limits::{KEY_MAX, VALUE_MAX};

use super::{FieldDoc, NOT_SET};
use crate::kind::{Kind, Text};

/// Most shards. Each is a group of replicas with buffers, timers and a log of its own; more of
/// them than this cost every node more than they spread.
const SHARDS_MAX: u64 = 1024;

const PIB: u64 = 1 << 50;

const THIRTY_DAYS_MS: u64 = 30 * 24 * 3_600_000;

pub(super) const FIELDS: &[FieldDoc] = &[
    FieldDoc::new(
        "keyspace.<name>.protocol",
        "\"single-leader\"",
        "How it replicates.",
    )
    .of(Kind::Text(Text::Plugin), "a registered protocol"),
    FieldDoc::new(
        "keyspace.<name>.engine",
        "\"memory\"",
        "Where state is kept.",
    )
    .of(Kind::Text(Text::Plugin), "a registered engine"),
    FieldDoc::new(
        "keyspace.<name>.log_format",
        "\"row\"",
        "How changes are written down.",
    )
    .of(Kind::Text(Text::Plugin), "a registered log format"),
    FieldDoc::new(
        "keyspace.<name>.resolver",
        NOT_SET,
        "How conflicts end, where the protocol allows them.",
    )
    .of(Kind::Text(Text::Plugin), "a registered resolver"),
    FieldDoc::new(
        "keyspace.<name>.shards",
        "1",
        "Parts that replicate by themselves. Fixed when the keyspace is made.",
    )
    .integer(1, SHARDS_MAX, "1 to 1024"),
    FieldDoc::new(
        "keyspace.<name>.nodes",
        "all of cluster.nodes, by id",
        "The nodes that hold it. Shard 0 prefers the first of them as leader, shard 1 the second, \
         and so on in turn.",
    )
    .of(
        Kind::NodeList,
        "a list of ids in cluster.nodes, each at most once",
    ),
    FieldDoc::new(
        "keyspace.<name>.acks",
        "{ semi-sync = 1 }; \"async\" where only one node holds the keyspace",
        "Copies that a write needs before its client hears \"done\", unless the request says. May \
         stand in the protocol's table instead; in one file, that one wins.",
    )
    .of(
        Kind::Acks,
        "\"async\", \"sync\", \"majority\" or { semi-sync = 0 to 63 }",
    ),
    FieldDoc::new(
        "keyspace.<name>.durability",
        "\"disk\"",
        "The medium that a copy must have reached to count. \"memory\" is lost with the process, \
         \"os\" with the power.",
    )
    .of(
        Kind::Choice(&["memory", "os", "disk"]),
        "\"memory\", \"os\" or \"disk\"",
    ),
    FieldDoc::new("keyspace.<name>.key_max", "4096", "Longest key accepted.").bytes(
        1,
        KEY_MAX as u64,
        "1 to 4096",
    ),
    FieldDoc::new(
        "keyspace.<name>.value_max",
        "524288",
        "Longest value accepted.",
    )
    .bytes(1, VALUE_MAX as u64, "1 to 983040"),
    FieldDoc::new(
        "keyspace.<name>.log_retention_bytes",
        "1073741824",
        "Log kept for slow followers before they must take a snapshot.",
    )
    .bytes(0, PIB, "0 to 1125899906842624"),
    FieldDoc::new(
        "keyspace.<name>.checkpoint_bytes",
        "536870912",
        "A durable snapshot is made after this much log.",
    )
    .bytes(64 << 10, PIB, "65536 to 1125899906842624"),
    FieldDoc::new(
        "keyspace.<name>.session_lifetime_ms",
        "3600000",
        "Client sessions idle for longer are forgotten: a write repeated after that is refused.",
    )
    .milliseconds(1000, THIRTY_DAYS_MS, "1000 to 2592000000"),
    FieldDoc::new(
        "keyspace.<name>.<plug-in>",
        "{}",
        "Options of one of the keyspace's plug-ins, in a table of its name. See its own page.",
    )
    .of(Kind::PluginTable, "a table"),
];
