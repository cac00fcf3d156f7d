//! The reference of errors: what the code says of each kind, and what the kind means.

use std::fmt::Write as _;

use repertoire_core::{
    ConfigEpoch, EntryId, ErrorKind, LeaderEpoch, Lsn, NodeId, Position, Retry, TokenFault,
    WriteOutcome,
};

/// An example of a kind, with what the kind means and where it comes from.
type Explained = (ErrorKind, &'static str);

/// Every kind, in the order of the codes.
fn kinds() -> Vec<Explained> {
    [of_the_cluster(), of_requests(), of_nodes()].concat()
}

/// Who leads, who can be reached, what they know.
fn of_the_cluster() -> Vec<Explained> {
    use ErrorKind as K;
    let at = |epoch, lsn| Position::Entry(EntryId::new(LeaderEpoch(epoch), Lsn(lsn)));
    vec![
        (
            K::NotLeader {
                hint: Some(NodeId(2)),
            },
            "A write or a `leader` read reached a replica that follows. The error names the leader \
             when the replica knows it; our client goes there by itself. When a leader loses its \
             leadership, writes that it had placed and not acknowledged end with this kind and the \
             outcome *unknown*.",
        ),
        (
            K::Unavailable,
            "No node could be reached, or a connection was lost. A write that was under way on that \
             connection ends with the outcome *unknown*.",
        ),
        (
            K::Timeout,
            "The deadline passed before the outcome was known. A write that was placed in the \
             leader's log may still get its copies, after minutes even. A write that was never \
             placed ends with the outcome *not applied*.",
        ),
        (
            K::Fenced {
                seen: LeaderEpoch(3),
                own: LeaderEpoch(2),
            },
            "The sender spoke with the authority of a leadership that is over. Between nodes this \
             is a message of the protocol. Requests of clients do not end with this kind today: a \
             leader that was fenced answers `RPT-0001`.",
        ),
        (
            K::Conflict,
            "The value of a compare-and-set, or a guard of a transaction, was another one than \
             expected. Nothing was logged. The command ends with exit code 4.",
        ),
        (
            K::NotCaughtUp {
                have: at(1, 40),
                need: at(1, 42),
            },
            "A `session` read asked a replica for a position that it has not applied: it waits until \
             the deadline before it says so. Or a `bounded` read asked a follower that cannot prove \
             to be as fresh: it says so at once, with the age that it can prove. Our client asks \
             the leader next.",
        ),
        (
            K::Discarded { need: at(1, 42) },
            "A `session` read named a position that is not, and will never be, part of the \
             history: another leader put other entries in its place. Waiting does not help.",
        ),
    ]
}

/// What was asked for, and how.
fn of_requests() -> Vec<Explained> {
    use ErrorKind as K;
    vec![
        (
            K::Overloaded,
            "A stage has given all the bytes that it may (see *What bounds every stage* in \
             ARCHITECTURE.md). The request was not taken in.",
        ),
        (
            K::TooLarge {
                len: 600_000,
                max: 524_288,
            },
            "A key, a value or a whole operation is over the keyspace's limit (`key_max`, \
             `value_max`) or over what a frame carries.",
        ),
        (
            K::UnknownKeyspace,
            "No keyspace has that name or number in the catalogue of the node that was asked.",
        ),
        (
            K::StaleDescriptor {
                have: ConfigEpoch(1),
                need: ConfigEpoch(2),
            },
            "The sender works with an older version of the keyspace's descriptor than the one in \
             force.",
        ),
        (
            K::RequestIdReuse,
            "The same client and number were used for two different operations. The first one \
             stands; the second one was not applied. It is a mistake in the client program.",
        ),
        (
            K::SessionExpired,
            "The request is older than what the dedup table remembers: the client was silent for \
             longer than `session_lifetime_ms`, or had told that it would not ask for this number \
             again. It is not applied now; whether it was applied long ago, nobody knows any more.",
        ),
        (
            K::Malformed,
            "Bytes that do not parse: a frame, an operation, the arguments of a function.",
        ),
        (
            K::Unsupported,
            "The plug-in, the keyspace or the request cannot do that: an unknown function, a batch \
             over several shards, an acknowledgement that the number of replicas can never give.",
        ),
    ]
}

/// Nodes, their disks and their plug-ins.
fn of_nodes() -> Vec<Explained> {
    use ErrorKind as K;
    vec![
        (
            K::ConfigInvalid,
            "A setting, a certificate or a data folder is not as it must be; the error names it.",
        ),
        (
            K::Corrupted,
            "Stored bytes do not match their checksum, or do not fit together. A leader whose log \
             is damaged refuses its keyspace, and the node's others run; a node whose data folder is \
             damaged does not start.",
        ),
        (
            K::StorageFull,
            "The disk, or `log.capacity_bytes`, is full. Nothing of the burst was written. Reads \
             go on, and writes resume when there is space.",
        ),
        (
            K::StorageFailed,
            "A write or an `fdatasync` failed. The node stops: it cannot know what is on the disk. \
             It never tries the sync again.",
        ),
        (
            K::Poisoned,
            "A plug-in panicked while it worked on this keyspace. Its replica on this \
             node is built anew, a few times a minute; when it goes on panicking, the keyspace refuses \
             everything here until it is released. The others go on. Writes that were under way end with the outcome \
             *unknown*.",
        ),
        (
            K::ShuttingDown,
            "The node stops, or the client was closed. A write that was under way ends with the \
             outcome *unknown*.",
        ),
        (
            K::IdentityRefused,
            "The certificate is missing, expired, of another cluster, or of another node than the \
             one that was expected at that address.",
        ),
        (
            K::Application {
                message: "not an integer".to_owned(),
            },
            "A registered function refused the values that it found. Nothing was logged. The \
             message is the function's own.",
        ),
        (
            K::Unexpected,
            "Something that should not happen: the operating system gave no randomness, say. \
             Whether a write happened is not known.",
        ),
        (
            K::FolderInUse,
            "Another process works on the data folder: one node, one folder, one process. The lock \
             ends with its process, also when that crashes.",
        ),
        (
            K::InvalidToken {
                fault: TokenFault::Forged,
            },
            "A session token was handed in that no node of this cluster sealed, or that cannot be \
             read. The message says which: *its seal does not match* (forged, damaged, or sealed \
             with a key that was given up), *it belongs to* another cluster, its version is not \
             read, it is longer than 4096 bytes, or it is no token at all. A token whose write \
             was discarded by a failover is in order; the read that uses it ends with `RPT-0007`.",
        ),
    ]
}

/// The chapter's table and one section for each kind.
pub(super) fn page() -> String {
    let kinds = kinds();
    let mut text =
        String::from("| code | message | retry | a write may still happen |\n|---|---|---|---|\n");
    for (kind, _) in &kinds {
        let code = kind.code();
        let _ = writeln!(
            text,
            "| [{code}](#{}) | {kind} | {} | {} |",
            code.to_lowercase(),
            retry(kind),
            outcome(kind)
        );
    }
    for (kind, meaning) in &kinds {
        let code = kind.code();
        let _ = writeln!(text, "\n## {code}\n\n*{kind}.* {meaning}\n");
        let _ = writeln!(text, "**What to do:** {}.\\", kind.advice());
        let _ = writeln!(text, "**Retry:** {}.\\", retry(kind));
        let _ = writeln!(text, "**May a write still happen?** {}.", outcome(kind));
    }
    text
}

const fn retry(kind: &ErrorKind) -> &'static str {
    match kind.retry() {
        Retry::No => "no",
        Retry::SameRequest => "under the same request id, after a pause",
        Retry::Elsewhere => "under the same request id, at another node",
    }
}

const fn outcome(kind: &ErrorKind) -> &'static str {
    match kind.default_outcome() {
        WriteOutcome::NotApplied => "no, unless the error says so",
        WriteOutcome::Unknown => "yes, unless the error says otherwise",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::kinds;

    /// Kinds cannot be listed from outside their crate, but their codes can be read there.
    #[test]
    fn every_kind_has_its_section() {
        let source = include_str!("../../../framework/core/src/error/kind.rs");
        let codes: BTreeSet<&str> = source
            .split('"')
            .filter(|text| text.starts_with("RPT-"))
            .collect();
        let listed: Vec<&str> = kinds().iter().map(|(kind, _)| kind.code()).collect();
        assert_eq!(listed, codes.into_iter().collect::<Vec<_>>());
    }
}
