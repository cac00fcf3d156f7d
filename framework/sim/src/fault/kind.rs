//! The kinds of faults, and the shapes in which each one comes.
//!
//! A kind is what a mix switches on and off; a planted bug proves for each that nothing else takes its
//! place (`tests/fault_kinds.rs`). Two faults that no check of today's protocols can tell apart are
//! shapes of one kind: the README says which, and why.

use serde::{Deserialize, Serialize};

/// Declares kinds and shapes once: the enums, their lists, their names.
macro_rules! faults {
    ($($(#[$meta:meta])* $kind:ident $name:literal {
        $($(#[$shape_meta:meta])* $shape:ident $shape_name:literal,)*
    })*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Fault {
            $($(#[$meta])* $kind,)*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its stable name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        /// What a kind of fault can look like.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Shape {
            $($($(#[$shape_meta])* $shape,)*)*
        }

        impl Shape {
            /// Every shape.
            pub const ALL: &'static [Self] = &[$($(Self::$shape,)*)*];

            /// The kind that it belongs to.
            pub const fn kind(self) -> Fault {
                match self {
                    $($(Self::$shape => Fault::$kind,)*)*
                }
            }

            /// Its stable name in reports: the kind's, and what is special.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$shape => concat!($name, "/", $shape_name),)*)*
                }
            }
        }
    };
}

faults! {
    /// A message is lost, and nobody is told.
    Drop "message-drop" {
        /// Between two nodes.
        LostBetweenNodes "between-nodes",
        /// A request or a reply of a client.
        LostOfClient "of-client",
    }
    /// A message is heard twice.
    Duplicate "message-duplicate" {
        /// Soon after.
        HeardSoon "soon",
        /// Long after, perhaps by another boot of its receiver, or from a former self of its sender.
        HeardLate "late",
    }
    /// A message is overtaken by later ones of its stream.
    Reorder "message-reorder" {
        /// By any number of them.
        Overtaken "overtaken",
    }
    /// A path carries nothing for a while; what is on it arrives later, in its order.
    Clog "path-clog" {
        /// All of it: the sender's outbox fills up, and takes nothing more until there is room.
        WholePath "whole-path",
        /// One stream of it, from one message on.
        OneStream "one-stream",
    }
    /// Messages between some nodes are lost for a while, and both ends are told.
    Partition "partition" {
        /// The cluster falls into two parts.
        Halves "halves",
        /// One node is cut off.
        OneNode "one-node",
        /// One node is not heard, or does not hear.
        OneWay "one-way",
        /// The link of one pair goes up and down several times.
        Flapping "flapping",
    }
    /// A process dies; what it had written to the operating system survives.
    Crash "crash" {
        /// One.
        OneProcess "one-process",
        /// All at once.
        AllProcesses "all-processes",
        /// The receiver of a snapshot, between two chunks.
        SnapshotReceiver "snapshot-receiver",
    }
    /// A machine loses power; any subset of the sectors that were not synced survives.
    PowerLoss "power-loss" {
        /// One.
        OneMachine "one-machine",
        /// All at once.
        AllMachines "all-machines",
        /// In the middle of a write, which is torn at any byte.
        TornWrite "torn-write",
    }
    /// The disk refuses an operation for good: the node must stop.
    DiskFailure "disk-failure" {
        /// A sync.
        FailedSync "sync",
        /// A write.
        FailedWrite "write",
    }
    /// A medium loses what it held, at a replica whose data others hold too.
    BitRot "bit-rot" {
        /// A bit of the log flips, anywhere.
        FlippedBit "flipped-bit",
        /// The node comes back with an empty disk.
        EmptyDisk "empty-disk",
    }
    /// The disk is slow.
    SlowDisk "disk-slow" {
        /// It answers nothing for a while.
        Stalled "stalled",
        /// Every operation takes much longer.
        Slow "slow",
    }
    /// The disk takes no more bytes for a while.
    DiskFull "disk-full" {
        /// Not one.
        NoSpace "no-space",
    }
    /// The engine runs on a worker of its own and is behind; without it, it is never behind.
    SlowEngine "engine-slow" {
        /// Every job takes much longer for a while.
        Behind "behind",
    }
    /// A node stands still; its clocks go on.
    Pause "pause" {
        /// All of it.
        StoodStill "stood-still",
    }
    /// A wall clock jumps.
    ClockJump "clock-jump" {
        /// Forward or back, by minutes or hours.
        Jumped "jumped",
    }
}
