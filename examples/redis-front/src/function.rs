//! The registered function: commands that read what they write run at the leader, inside the write
//! pipeline, so that each is atomic and has one effect whatever is sent again.
//!
//! ```text
//! arguments := stamp u64 | guards u32 (key blob, is_present u8, [stamp u64])* | is_exec u8 |
//!              commands u32 (arguments u32 blob*)*
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use repertoire::core::cursor::Cursor;
use repertoire::core::limits::KEY_MAX;
use repertoire::core::{
    Cell, DecodeError, Error, ErrorKind, Evaluated, Function, FunctionView, RecordContext,
    RowChange, put_blob,
};

use crate::commands;
use crate::packed;
use crate::reply::{Failure, Reply};
use crate::value::Value;
use crate::work::{Cells, Work};

/// The function's name.
pub const NAME: &str = "redis";

/// Longest argument of a command, in bytes.
const ARGUMENT_MAX: usize = 1 << 20;

/// Most bytes that a call may write and return together. An entry may hold a quarter MiB of other
/// records before it, and travels in one frame of 1 MiB.
const EFFECT_MAX: usize = 700 * 1024;

/// A key that must not have been written since it was watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The key.
    pub key: Bytes,
    /// The stamp of what it held; nothing when it was absent.
    pub stamp: Option<u64>,
}

/// Begins the arguments of a call of `count` commands, to be followed by [`put_command`].
pub(crate) fn begin(out: &mut BytesMut, stamp: u64, guards: &[Watched], exec: Option<usize>) {
    out.put_u64_le(stamp);
    out.put_u32_le(u32::try_from(guards.len()).unwrap_or(u32::MAX));
    for guard in guards {
        put_blob(out, &guard.key);
        out.put_u8(u8::from(guard.stamp.is_some()));
        guard.stamp.iter().for_each(|stamp| out.put_u64_le(*stamp));
    }
    out.put_u8(u8::from(exec.is_some()));
    out.put_u32_le(u32::try_from(exec.unwrap_or(1)).unwrap_or(u32::MAX));
}

/// Appends a command.
pub(crate) fn put_command(out: &mut BytesMut, args: &[&[u8]]) {
    out.put_u32_le(u32::try_from(args.len()).unwrap_or(u32::MAX));
    for arg in args {
        put_blob(out, arg);
    }
}

struct Call<'a> {
    stamp: u64,
    guards: Vec<(&'a [u8], Option<u64>)>,
    is_exec: bool,
    commands: Vec<Vec<&'a [u8]>>,
}

impl<'a> Call<'a> {
    fn decode(args: &'a [u8]) -> Result<Self, Error> {
        let decoded = Self::read(&mut Cursor::new(args));
        decoded.map_err(|e| Error::new(ErrorKind::Malformed, NAME).with("detail", e))
    }

    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let stamp = cursor.u64("stamp")?;
        let mut guards = Vec::new();
        for _ in 0..cursor.u32("guards")? {
            let key = cursor.blob(KEY_MAX, "key")?;
            let stamp = match cursor.u8("presence")? {
                0 => None,
                _ => Some(cursor.u64("stamp")?),
            };
            guards.push((key, stamp));
        }
        let is_exec = cursor.u8("kind")? != 0;
        let mut commands = Vec::new();
        for _ in 0..cursor.u32("commands")? {
            let mut args = Vec::new();
            for _ in 0..cursor.u32("arguments")? {
                args.push(cursor.blob(ARGUMENT_MAX, "argument")?);
            }
            commands.push(args);
        }
        Ok(Self {
            stamp,
            guards,
            is_exec,
            commands,
        })
    }
}

struct View<'a>(&'a dyn FunctionView);

impl Cells for View<'_> {
    fn cell(&self, key: &[u8]) -> Option<Bytes> {
        self.0.value(key)
    }
}

/// The registered function.
#[derive(Clone, Copy, Debug)]
pub struct Redis;

impl Function for Redis {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error> {
        let call = Call::decode(args)?;
        keys.extend(
            call.guards
                .iter()
                .map(|(key, _)| Bytes::copy_from_slice(key)),
        );
        for args in &call.commands {
            let command = args.first().and_then(|name| commands::find(name));
            let of = command
                .into_iter()
                .flat_map(|command| command.keys_of(args));
            keys.extend(of.map(Bytes::copy_from_slice));
        }
        Ok(())
    }

    fn evaluate(
        &self,
        context: RecordContext,
        args: &[u8],
        view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        let call = Call::decode(args)?;
        let cells = View(view);
        let mut work = Work::new(&cells, context.wall.0, call.stamp);
        let changed =
            |(key, stamp): &&(&[u8], Option<u64>)| work.get(key).map(|value| value.stamp) != *stamp;
        if let Some((key, _)) = call.guards.iter().find(changed) {
            let key = String::from_utf8_lossy(key).into_owned();
            return Err(Error::new(ErrorKind::Conflict, NAME).with("key", key));
        }
        let reply = if call.is_exec {
            let replies = call.commands.iter();
            Reply::Array(replies.map(|args| run(&mut work, args).into()).collect())
        } else {
            let args = call.commands.first().map(Vec::as_slice).unwrap_or_default();
            run(&mut work, args).map_err(failed)?
        };
        let mut result = BytesMut::new();
        packed::pack(&reply, &mut result);
        let changes: Vec<_> = work.into_changes().into_iter().map(change).collect();
        let written = |change: &RowChange| change.after.as_ref().map_or(0, Bytes::len);
        let bytes = result.len() + changes.iter().map(written).sum::<usize>();
        if bytes > EFFECT_MAX {
            return Err(failed(too_large(bytes)));
        }
        Ok(Evaluated {
            changes,
            result: result.freeze(),
        })
    }
}

fn run(work: &mut Work<'_>, args: &[&[u8]]) -> Result<Reply, Failure> {
    let command = args.first().and_then(|name| commands::find(name));
    match command.and_then(commands::Command::run) {
        Some(run) => run(work, args),
        None => Err("ERR this node does not know the command".into()),
    }
}

/// An error of the command's own: nothing is logged.
fn failed(failure: Failure) -> Error {
    let message = failure.into_owned();
    Error::new(ErrorKind::Application { message }, NAME)
}

fn too_large(bytes: usize) -> Failure {
    format!(
        "ERR the command would write and return {bytes} bytes, at most {EFFECT_MAX} are possible"
    )
    .into()
}

fn change((key, value): (Bytes, Option<Value>)) -> RowChange {
    let after = value.map(|value| {
        let bytes = value.encode();
        let cell = Cell {
            expires_at: value.expires_at,
            versions: None,
            value: &bytes,
        };
        let mut out = BytesMut::with_capacity(cell.encoded_len());
        cell.encode_into(&mut out);
        out.freeze()
    });
    RowChange {
        key,
        after,
        before: None,
    }
}
