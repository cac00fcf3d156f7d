//! What differs between nodes: the node itself, its certificates, its resources.

use super::{FieldDoc, NOT_SET, REQUIRED};
use crate::kind::{Kind, Text};

const GIB: u64 = 1 << 30;

/// Longest time that a network setting may name: beyond it people mean "never", and are surprised.
const HOUR_MS: u64 = 3_600_000;

/// The sections before the cluster.
pub(super) const FIRST: &[FieldDoc] = &[
    FieldDoc::new(
        "node.id",
        REQUIRED,
        "Which of cluster.nodes this is, or a number that is new to the cluster, where node.joins is set. A \
         node keeps its id for life.",
    )
    .integer(1, i64::MAX.unsigned_abs(), "1 or more"),
    FieldDoc::new(
        "node.site",
        "the site that cluster.sites gives to node.id, else \"main\"",
        "The failure domain that this node is in.",
    )
    .of(Kind::Text(Text::Site), "a text of 1 to 64 characters"),
    FieldDoc::new(
        "node.listen",
        "the address that cluster.nodes gives to node.id",
        "The address and port to listen on.",
    )
    .of(
        Kind::Text(Text::Socket),
        "an IP address and port, such as \"0.0.0.0:7401\" or \"[::]:7401\"",
    ),
    FieldDoc::new(
        "node.data",
        REQUIRED,
        "The data folder. Relative to the file that sets it, or to the working folder.",
    )
    .of(Kind::Text(Text::Path), "a path"),
    FieldDoc::new(
        "node.fence_command",
        NOT_SET,
        "A program that cuts a former leader off, run before a replica of this node is promoted. It \
         learns whom from REPERTOIRE_FORMER_NODE and its like; unless it ends with 0, nobody is promoted.",
    )
    .of(Kind::Text(Text::Path), "a path"),
    FieldDoc::new(
        "node.fence_timeout_ms",
        "10000",
        "How long node.fence_command may take before it is killed and has failed.",
    )
    .milliseconds(100, HOUR_MS, "100 to 3600000"),
    FieldDoc::new(
        "node.joins",
        "false",
        "Whether the node joins a running cluster, by `repertoire member add`. All of [cluster] and \
         [keyspace] stays as the cluster was founded, without this node.",
    )
    .of(Kind::Flag, "true or false"),
    FieldDoc::new(
        "tls.ca",
        REQUIRED,
        "The authorities that this node trusts, PEM; several while they are rotated.",
    )
    .of(Kind::Text(Text::Path), "a path"),
    FieldDoc::new(
        "tls.cert",
        REQUIRED,
        "This node's certificate, PEM, followed by intermediate ones.",
    )
    .of(Kind::Text(Text::Path), "a path"),
    FieldDoc::new(
        "tls.key",
        REQUIRED,
        "This node's private key, PEM. Readable by its owner alone (mode 0600).",
    )
    .of(Kind::Text(Text::Path), "a path"),
    FieldDoc::new(
        "tls.token_key",
        "token.key beside tls.cert, where there is one",
        "The cluster's keys for session tokens, one a line: the first seals, all are accepted. \
         Readable by its owner alone (mode 0600).",
    )
    .of(Kind::Text(Text::Path), "a path"),
];

/// The sections after the keyspaces.
pub(super) const LAST: &[FieldDoc] = &[
    FieldDoc::new(
        "log.segment_bytes",
        "67108864",
        "Size of a log file. Larger ones mean fewer files and coarser reclaiming.",
    )
    .of(
        Kind::Integer {
            min: 2 << 20,
            max: GIB,
            word: None,
        },
        "2097152 to 1073741824, a multiple of 4096",
    )
    .in_bytes(),
    FieldDoc::new(
        "log.capacity_bytes",
        "\"unlimited\"",
        "All log files together. Beyond it writes are refused until space is reclaimed.",
    )
    .of(
        Kind::Integer {
            min: 8 << 20,
            max: 1 << 60,
            word: Some("unlimited"),
        },
        "\"unlimited\", or 8388608 to 1152921504606846976, and at least 4 segments",
    )
    .in_bytes(),
    FieldDoc::new(
        "limits.request_bytes_max",
        "67108864",
        "Requests under way, over all sessions. Beyond it the node answers that it is overloaded.",
    )
    .bytes(1 << 20, 64 * GIB, "1048576 to 68719476736"),
    FieldDoc::new(
        "limits.session_bytes_max",
        "16777216",
        "Requests under way of one session.",
    )
    .bytes(1 << 20, 64 * GIB, "1048576 to 68719476736"),
    FieldDoc::new(
        "limits.peer_bytes_max",
        "67108864",
        "Frames from other nodes that wait to be handled.",
    )
    .bytes(1 << 20, 64 * GIB, "1048576 to 68719476736"),
    FieldDoc::new(
        "transport.mtu",
        "\"auto\"",
        "Size of packets. A number only for links that are known to carry it.",
    )
    .of(
        Kind::Integer {
            min: 1200,
            max: 6500,
            word: Some("auto"),
        },
        "\"auto\", or 1200 to 6500",
    )
    .in_bytes(),
    FieldDoc::new(
        "transport.segmentation_offload",
        "true",
        "Several packets in one call to the kernel. Without it throughput falls to a third.",
    )
    .of(Kind::Flag, "true or false"),
    FieldDoc::new(
        "transport.stream_window_bytes",
        "1048576",
        "What one stream may have under way: at least bandwidth times delay of the link.",
    )
    .bytes(64 << 10, 256 << 20, "65536 to 268435456"),
    FieldDoc::new(
        "transport.socket_buffer_bytes",
        "4194304",
        "Kernel buffers of the socket. Small ones lose packets in bursts.",
    )
    .bytes(64 << 10, GIB, "65536 to 1073741824"),
    FieldDoc::new(
        "transport.idle_timeout_ms",
        "10000",
        "A link is down after this long without a packet.",
    )
    .milliseconds(100, HOUR_MS, "100 to 3600000"),
    FieldDoc::new(
        "transport.keep_alive_interval_ms",
        "3000",
        "An idle link is kept alive at this interval. At most half of idle_timeout_ms.",
    )
    .milliseconds(10, HOUR_MS, "10 to 3600000"),
    FieldDoc::new(
        "transport.handshake_timeout_ms",
        "5000",
        "The TLS handshake must end within this time.",
    )
    .milliseconds(10, HOUR_MS, "10 to 3600000"),
    FieldDoc::new(
        "transport.hello_timeout_ms",
        "2000",
        "The hello must come within this time after the handshake.",
    )
    .milliseconds(10, HOUR_MS, "10 to 3600000"),
    FieldDoc::new(
        "transport.reconnect_ms_min",
        "20",
        "Shortest pause between two attempts to reach a node.",
    )
    .milliseconds(1, HOUR_MS, "1 to 3600000"),
    FieldDoc::new(
        "transport.reconnect_ms_max",
        "2000",
        "Longest pause between two attempts to reach a node. At least reconnect_ms_min.",
    )
    .milliseconds(1, HOUR_MS, "1 to 3600000"),
    FieldDoc::new(
        "transport.outbox_control_bytes_max",
        "2097152",
        "Heartbeats, votes and acknowledgements that may wait for one node.",
    )
    .bytes(64 << 10, GIB, "65536 to 1073741824"),
    FieldDoc::new(
        "transport.outbox_replication_bytes_max",
        "33554432",
        "Entries that may wait for one node; beyond it the node catches up from the log.",
    )
    .bytes(1 << 20, 16 * GIB, "1048576 to 17179869184"),
    FieldDoc::new(
        "transport.outbox_bulk_bytes_max",
        "8388608",
        "Snapshots that may wait for one node.",
    )
    .bytes(1 << 20, 16 * GIB, "1048576 to 17179869184"),
    FieldDoc::new(
        "transport.retry_from",
        "32",
        "From this many unfinished handshakes on, strangers must first prove their address.",
    )
    .integer(1, 65_536, "1 to 65536"),
    FieldDoc::new(
        "transport.handshakes_max",
        "256",
        "More unfinished handshakes than this are refused. At least retry_from.",
    )
    .integer(1, 65_536, "1 to 65536"),
    FieldDoc::new(
        "transport.clients_max",
        "1024",
        "Most connections of clients.",
    )
    .integer(1, 1_000_000, "1 to 1000000"),
    FieldDoc::new(
        "transport.clients_per_address_max",
        "256",
        "Most connections of clients from one address. At most clients_max.",
    )
    .integer(1, 1_000_000, "1 to 1000000"),
    FieldDoc::new(
        "transport.session_credit_bytes",
        "4194304",
        "Requests that one remote session may have under way.",
    )
    .bytes(1 << 20, GIB, "1048576 to 1073741824"),
    FieldDoc::new(
        "transport.session_outbox_bytes_max",
        "16777216",
        "Replies that may wait for a client before it is cut off as a slow reader.",
    )
    .bytes(1 << 20, GIB, "1048576 to 1073741824"),
];
