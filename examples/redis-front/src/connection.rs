//! One connection: bytes in, bytes out. While a burst is carried out, nothing is read; while the
//! client does not read its replies, nothing is carried out. So a connection holds one request or one
//! burst, and its replies, whatever the client does.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::types::RangeFrame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::conversation::Conversation;
use crate::framing::{Framed, Framing, ProtocolError};
use crate::front::Front;
use crate::inline::words;
use crate::reply::Reply;

/// Bytes read at once: some thousand small writes, which then go to the log together.
const READ_BYTES: usize = 256 * 1024;

/// Replies are sent when there are that many bytes of them, in the middle of a burst too.
const OUT_BYTES: usize = 256 * 1024;

/// Buffers above this size are given back when they are empty.
const KEPT_BYTES: usize = 1024 * 1024;

/// Serves a client until it leaves or breaks the protocol.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn serve(mut stream: TcpStream, front: Arc<Front>, id: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut conversation = Conversation::new(front, id);
    let mut buffer = BytesMut::new();
    let mut framing = Framing::default();
    while !conversation.session.is_closing {
        buffer.reserve(READ_BYTES / 16);
        let room = (&mut stream)
            .take(READ_BYTES as u64)
            .read_buf(&mut buffer)
            .await?;
        if room == 0 {
            break;
        }
        // A burst that filled the buffer is likely to go on: take what is there.
        while buffer.len() < READ_BYTES && buffer.capacity() == buffer.len() {
            buffer.reserve(READ_BYTES / 4);
            match stream.try_read_buf(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let used = requests(&buffer, &mut framing, &mut conversation, &mut stream).await?;
        conversation.finish().await;
        send(&mut conversation.out, &mut stream).await?;
        buffer.advance(used);
        if buffer.is_empty() && buffer.capacity() > KEPT_BYTES {
            buffer = BytesMut::new();
        }
    }
    stream.shutdown().await
}

/// Takes every complete request out of the buffer; returns their bytes.
async fn requests(
    buffer: &[u8],
    framing: &mut Framing,
    conversation: &mut Conversation,
    stream: &mut TcpStream,
) -> io::Result<usize> {
    let mut used = 0;
    while !conversation.session.is_closing {
        let rest = buffer.get(used..).unwrap_or_default();
        let framed = match framing.walk(rest) {
            Ok(Some(framed)) => framed,
            Ok(None) => break,
            Err(error) => {
                refuse(conversation, &error);
                break;
            }
        };
        used += match framed {
            Framed::Nothing(len) => len,
            Framed::Line(len) => {
                line(rest.get(..len).unwrap_or_default(), conversation).await;
                len
            }
            Framed::Array(len) => {
                match decode(rest.get(..len).unwrap_or_default()) {
                    Ok(args) => conversation.request(&args).await,
                    Err(error) => refuse(conversation, &error),
                }
                len
            }
        };
        if conversation.out.len() >= OUT_BYTES {
            send(&mut conversation.out, stream).await?;
        }
    }
    Ok(used)
}

async fn line(line: &[u8], conversation: &mut Conversation) {
    match words(line) {
        None => refuse(conversation, "unbalanced quotes in request"),
        Some(words) if words.is_empty() => {}
        Some(words) => {
            let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            conversation.request(&args).await;
        }
    }
}

/// The arguments of a request that is known to be complete.
fn decode(frame: &[u8]) -> Result<Vec<&[u8]>, ProtocolError> {
    let wrong = || "not an array of bulk strings".to_owned();
    let decoded = decode_range(frame).map_err(|error| error.to_string())?;
    let Some((RangeFrame::Array(items), _)) = decoded else {
        return Err(wrong());
    };
    let mut args = Vec::with_capacity(items.len());
    for item in items {
        match item {
            RangeFrame::BulkString((from, to)) => {
                args.push(frame.get(from..to).ok_or_else(wrong)?);
            }
            _ => return Err(wrong()),
        }
    }
    Ok(args)
}

/// Says what is wrong with the stream, and ends it.
fn refuse(conversation: &mut Conversation, error: &str) {
    let text = format!("ERR Protocol error: {error}");
    conversation.burst.reply(Reply::Error(text));
    conversation.session.is_closing = true;
}

async fn send(out: &mut BytesMut, stream: &mut TcpStream) -> io::Result<()> {
    while out.has_remaining() {
        stream.write_buf(out).await?;
    }
    if out.capacity() > KEPT_BYTES {
        *out = BytesMut::new();
    } else {
        out.clear();
    }
    Ok(())
}
