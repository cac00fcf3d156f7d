//! The Redis protocol on a socket: requests in, replies out. What they mean is a [`Database`]'s business.

use std::future::Future;
use std::io;

use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::encode::extend_encode;
pub use redis_protocol::resp2::types::BytesFrame as Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

// ANCHOR: database
/// Executes commands. Every connection has a clone of its own.
pub trait Database: Clone + Send + 'static {
    /// Executes one command, which is never empty.
    fn execute(&mut self, words: Vec<Bytes>) -> impl Future<Output = Frame> + Send;
}
// ANCHOR_END: database

// ANCHOR: serve
/// Takes connections, for ever.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, database: impl Database) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let mine = database.clone();
        tokio::spawn(async move {
            if let Err(error) = talk(socket, mine).await {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

async fn talk(mut socket: TcpStream, mut database: impl Database) -> io::Result<()> {
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        while let Some((request, _, _)) = decode_bytes_mut(&mut input).map_err(io::Error::other)? {
            let reply = match words(request) {
                Some(words) => database.execute(words).await,
                None => error("ERR a request is an array of strings"),
            };
            extend_encode(&mut output, &reply, false).map_err(io::Error::other)?;
        }
        socket.write_all_buf(&mut output).await?;
        if socket.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}
// ANCHOR_END: serve

/// The words of a request, with the command in upper case.
fn words(request: Frame) -> Option<Vec<Bytes>> {
    let Frame::Array(frames) = request else {
        return None;
    };
    let mut words = Vec::with_capacity(frames.len());
    for frame in frames {
        match frame {
            Frame::BulkString(word) | Frame::SimpleString(word) => words.push(word),
            _ => return None,
        }
    }
    let command = words.first_mut()?;
    *command = command.to_ascii_uppercase().into();
    Some(words)
}

/// The reply `+OK`.
pub fn ok() -> Frame {
    Frame::SimpleString(Bytes::from_static(b"OK"))
}

/// An error. Its first word, in upper case, is for programs.
pub fn error(message: &str) -> Frame {
    // A line break would end the reply.
    Frame::Error(message.replace(['\r', '\n'], " ").into())
}

/// A value, or none.
pub fn value(value: Option<Bytes>) -> Frame {
    value.map_or(Frame::Null, Frame::BulkString)
}
