//! Commands that are under way together: either writes or reads, with answers in between that need
//! nothing. A read after a write begins a new burst, and so does a write after a read, because each
//! must see what the commands before it did, and nothing of those after it.

use bytes::{Bytes, BytesMut};
use repertoire::core::limits::OPERATION_MAX;
use repertoire::core::{Operation, ReadQuery};

use crate::families::Run;
use crate::function::{self, Watched};
use crate::reply::Reply;
use crate::value::encode_string;

/// Most reads of a burst. Their values are held until all are there: at most 128 MiB.
const READS_MAX: usize = 256;

/// Most bytes of writes in a burst, so that a connection takes a fair share of the client's buffer.
const WRITE_BYTES_MAX: usize = 2 << 20;

/// Bytes that operations are encoded into at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// Bytes of an operation beside its key and value, or its arguments: more than there are.
const HEAD_BYTES: usize = 64;

/// Takes a vector, and leaves an empty one that holds as many.
fn renew<T>(items: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(items.len());
    std::mem::replace(items, next)
}

/// Where a reply comes from.
pub(crate) enum Slot {
    /// It is there.
    Reply(Reply),
    /// From a write that answers `OK`.
    Plain,
    /// From a command that ran at the leader.
    Returned,
    /// From a transaction that ran at the leader.
    Exec,
    /// From a command that runs on the value of this key.
    Read { run: Run, args: Vec<Bytes> },
}

/// Commands that are under way together.
#[derive(Default)]
pub(crate) struct Burst {
    pub(crate) slots: Vec<Slot>,
    pub(crate) operations: Vec<Bytes>,
    pub(crate) queries: Vec<ReadQuery>,
    bytes: usize,
    buffer: BytesMut,
    scratch: Vec<u8>,
    args: BytesMut,
}

impl Burst {
    pub(crate) const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) const fn has_reads(&self) -> bool {
        !self.queries.is_empty()
    }

    pub(crate) const fn has_writes(&self) -> bool {
        !self.operations.is_empty()
    }

    /// Whether it should be carried out before more is added.
    pub(crate) const fn is_full(&self) -> bool {
        self.queries.len() >= READS_MAX || self.bytes >= WRITE_BYTES_MAX
    }

    /// An answer that needs nothing.
    pub(crate) fn reply(&mut self, reply: Reply) {
        self.slots.push(Slot::Reply(reply));
    }

    /// A plain `SET`.
    pub(crate) fn put(&mut self, key: &[u8], payload: &[u8], stamp: u64) {
        encode_string(payload, stamp, &mut self.scratch);
        self.reserve(HEAD_BYTES + key.len() + self.scratch.len());
        let put = Operation::Put {
            key,
            value: &self.scratch,
            expires_at: None,
        };
        put.encode_into(&mut self.buffer);
        self.push(Slot::Plain);
    }

    /// A command that runs at the leader.
    pub(crate) fn call(&mut self, args: &[&[u8]], stamp: u64) {
        self.args.clear();
        function::begin(&mut self.args, stamp, &[], None);
        function::put_command(&mut self.args, args);
        self.push_call(Slot::Returned);
    }

    /// A transaction that runs at the leader.
    pub(crate) fn exec(&mut self, watched: &[Watched], commands: &[u8], count: usize, stamp: u64) {
        self.args.clear();
        function::begin(&mut self.args, stamp, watched, Some(count));
        self.args.extend_from_slice(commands);
        self.push_call(Slot::Exec);
    }

    /// A command on the value of one key.
    pub(crate) fn read(&mut self, run: Run, args: &[&[u8]], key: &[u8]) {
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
        self.queries
            .push(ReadQuery::Get(Bytes::copy_from_slice(key)));
        self.slots.push(Slot::Read { run, args });
    }

    fn push_call(&mut self, slot: Slot) {
        self.reserve(HEAD_BYTES + self.args.len());
        let call = Operation::Call {
            function: function::NAME,
            args: &self.args,
        };
        call.encode_into(&mut self.buffer);
        self.push(slot);
    }

    fn push(&mut self, slot: Slot) {
        let operation = self.buffer.split().freeze();
        if operation.len() > OPERATION_MAX {
            let (len, max) = (operation.len(), OPERATION_MAX);
            let text = format!("ERR request of {len} bytes exceeds the maximum of {max} bytes");
            return self.reply(Reply::Error(text));
        }
        self.bytes += operation.len();
        self.operations.push(operation);
        self.slots.push(slot);
    }

    /// Takes the commands out. The next burst is likely to be as long.
    pub(crate) fn take(&mut self) -> (Vec<Slot>, Vec<Bytes>, Vec<ReadQuery>) {
        self.bytes = 0;
        (
            renew(&mut self.slots),
            renew(&mut self.operations),
            renew(&mut self.queries),
        )
    }

    /// Makes room for an operation: many share an allocation.
    fn reserve(&mut self, len: usize) {
        if self.buffer.capacity() < len {
            self.buffer = BytesMut::with_capacity(len.max(BUFFER_BYTES));
        }
    }
}
