#![doc = include_str!("../README.md")]

mod acks;
mod authority;
pub mod blob;
mod capability;
mod catalogue;
mod cell;
pub mod cursor;
mod dedup;
pub mod discards;
mod entry;
mod epoch_history;
mod error;
mod fencing;
mod format;
mod function;
mod host;
mod id;
pub mod limits;
mod lineage;
mod log;
mod membership;
mod op;
mod pipeline;
mod position;
mod prefix;
mod protocol;
mod registry;
mod request;
mod resolver;
pub mod sabotage;
mod sequence;
#[cfg(test)]
mod sequence_test;
mod snapshot_transfer;
mod storage;
mod time;
mod token;
mod trace_context;
mod transport;

pub use acks::{Ack, Acks, Durability};
pub use authority::{ConfigEpoch, Incarnation, InstanceGen, LeaderEpoch};
pub use capability::Capabilities;
pub use catalogue::{
    Catalogue, Descriptor, KeyspaceOptions, Member, Placement, PluginRef, ReplicaRole, ReplicaSpec,
    SLOTS, SlotMap, slot_of, spread_replicas,
};
pub use cell::Cell;
pub use cursor::DecodeError;
pub use dedup::{DedupTable, PayloadHash, Remembered, Verdict, WINDOW_MAX};
pub use discards::{DISCARDS, Discarded, Journal, Mark, Settlement, read_discards, tail_start};
pub use entry::{ENTRY_HEAD_LEN, Entry, EntryKind, FormatTag};
pub use epoch_history::{Containment, EpochHistory};
pub use error::{Error, ErrorKind, Retry, WriteOutcome};
pub use fencing::{FENCE_LEN, Fence, FencedResource, FencingToken};
pub use format::{FormatError, LogFormat, RecordContext, RowChange, StateView, blind_changes};
pub use function::{EXPIRE_FUNCTION, Evaluated, Function, FunctionView};
pub use host::{
    Executor, Host, HostBoot, HostOutput, Job, JobResult, LoadedState, ReplayedEntry,
    SnapshotPiece, load_snapshot,
};
pub use id::{
    ClientId, ClusterId, GroupId, KeyspaceId, LogSeq, NodeId, ProposalId, ShardId, Site, StreamId,
    Ticket,
};
pub use lineage::{Break, Lineage, MARKS_MAX, Seen};
pub use log::{GroupLogOp, LogOp, LogSlice, LogStore, RecoveredGroup, RecoveredStream};
pub use membership::{
    GroupMember, MEMBERS_MAX, MemberChange, MemberRole, Membership, MembershipFault, MembershipView,
};
pub use op::{Guard, Operation, put_blob};
pub use pipeline::{Fetch, Pipeline, Record, RecordReader};
pub use position::{Dot, EntryId, Frontier, Lsn, Position};
pub use prefix::end_of_prefix;
pub use protocol::{
    Admission, Appointment, Boot, Class, DynProtocol, Effects, Encoded, ErasedMachine, Fate, Input,
    LogRead, Machine, PeerEvent, Promotion, Proposal, Protocol, ReadVerdict, Role, Scope,
    SnapshotOrder, Status, Telemetry, TimerKey, TimerOrder, Vitals, WireMessage, erase,
};
pub use registry::{BootFn, EngineFactory, EngineSpec, ProtocolFactory, Registry};
pub use request::{
    Answer, Lag, Outcome, ReadLevel, ReadQuery, ReadRequest, Reply, ReplyHandle, RequestId, Row,
    WriteRequest,
};
pub use resolver::{Conflict, Resolution, ResolveError, Resolver};
pub use sequence::{Reservation, SequenceBlock, SequenceId};
pub use snapshot_transfer::{
    ChunkVerdict, SnapshotHead, SnapshotMessage, SnapshotReceiver, WINDOW_CHUNKS, wanted_chunks,
};
pub use storage::{
    Applied, EngineCapabilities, EngineError, EngineReader, ExecutionOrder, RowDigest, RowVisitor,
    SnapshotChunk, SnapshotHeader, Space, StateChange, StateDigest, StorageEngine, WriteBatch,
};
pub use time::{Mono, Now, Wall};
pub use token::{
    EPOCHS_MAX, GROUPS_MAX, Need, SessionPositions, SessionToken, TOKEN_KEY_LEN, TOKEN_MAX,
    TokenFault, TokenKeys,
};
pub use trace_context::{TRACE_TARGET, TraceContext};
pub use transport::{
    Channel, Delivery, LinkEvent, Outgoing, PeerWitness, Transport, TransportSink,
};
