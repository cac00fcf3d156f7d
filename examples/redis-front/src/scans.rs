//! Commands that walk over the keys of a database: `KEYS`, `SCAN`, `FLUSHDB`.

use bytes::{BufMut, Bytes, BytesMut};
use repertoire::core::{Answer, Operation, ReadQuery, Row};

use crate::conversation::Conversation;
use crate::failures;
use crate::families::{integer, keys::name_of};
use crate::glob::matches;
use crate::reply::{Failure, OK, Reply, SYNTAX};
use crate::value::Value;

/// Rows of the first page, and of the largest one.
const PAGE: (u32, u32) = (16, 1024);

/// Pages grow until they hold this many bytes: rows come with their values.
const PAGE_BYTES: usize = 1 << 20;

/// Most bytes of keys in a reply.
const KEYS_BYTES_MAX: usize = 64 << 20;

/// Most rows that one `SCAN` looks at.
const COUNT_MAX: i64 = 10_000;

/// A walk over the keys of a database, in order.
struct Walk {
    from: Bytes,
    limit: u32,
}

impl Walk {
    const fn new(from: Bytes) -> Self {
        let limit = PAGE.0;
        Self { from, limit }
    }

    /// The next rows, at most `max`; fewer than asked for at the end.
    async fn page(&mut self, on: &mut Conversation, max: u32) -> Result<(Vec<Row>, bool), Reply> {
        let limit = self.limit.min(max);
        let query = ReadQuery::Scan {
            from: self.from.clone(),
            to: Bytes::new(),
            limit,
        };
        let (database, at) = (on.session.database, on.session.reads_at());
        let found = on.lanes.read(database, vec![query], at).await;
        let rows = match found.into_iter().next() {
            Some(Ok((_, Answer::Rows(rows)))) => rows,
            Some(Err(error)) => return Err(failures::of_read(&error)),
            _ => Vec::new(),
        };
        let is_last = rows.len() < limit as usize;
        if let Some(row) = rows.last() {
            // The first key behind it.
            let mut from = BytesMut::with_capacity(row.key.len() + 1);
            from.put_slice(&row.key);
            from.put_u8(0);
            self.from = from.freeze();
        }
        let bytes: usize = rows.iter().map(|row| row.key.len() + row.value.len()).sum();
        self.limit = if bytes > PAGE_BYTES {
            (self.limit / 2).max(1)
        } else {
            (self.limit * 2).min(PAGE.1)
        };
        Ok((rows, is_last))
    }
}

pub(crate) async fn keys(on: &mut Conversation, words: &[&[u8]]) -> Reply {
    let pattern = words.first().copied().unwrap_or_default();
    let mut walk = Walk::new(Bytes::new());
    let (mut found, mut bytes) = (Vec::new(), 0);
    loop {
        let (rows, is_last) = match walk.page(on, u32::MAX).await {
            Ok(page) => page,
            Err(error) => return error,
        };
        for row in rows {
            if matches(pattern, &row.key) {
                bytes += row.key.len();
                found.push(Reply::Bulk(row.key));
            }
        }
        if bytes > KEYS_BYTES_MAX {
            return Reply::Error("ERR too many keys for one reply: use SCAN".into());
        }
        if is_last {
            return Reply::Array(found);
        }
    }
}

struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    count: u32,
}

impl<'a> ScanOptions<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Failure> {
        let mut options = Self {
            pattern: None,
            kind: None,
            count: 10,
        };
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                return Err(SYNTAX);
            };
            match name.to_ascii_lowercase().as_slice() {
                b"match" => options.pattern = Some(value),
                b"type" => options.kind = Some(value),
                b"count" => {
                    let count = integer(value)?;
                    if count < 1 {
                        return Err(SYNTAX);
                    }
                    options.count = u32::try_from(count.min(COUNT_MAX)).unwrap_or(1);
                }
                _ => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn wants(&self, row: &Row) -> bool {
        let is_kind = |wanted: &[u8]| {
            let kind = Value::decode(&row.value).map(|value| name_of(value.kind));
            kind.is_some_and(|kind| wanted.eq_ignore_ascii_case(kind.as_bytes()))
        };
        self.pattern
            .is_none_or(|pattern| matches(pattern, &row.key))
            && self.kind.is_none_or(is_kind)
    }
}

pub(crate) async fn scan(on: &mut Conversation, words: &[&[u8]]) -> Reply {
    let Some((cursor, options)) = words.split_first() else {
        return SYNTAX.into();
    };
    let number = std::str::from_utf8(cursor)
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let Some(number) = number else {
        return Reply::Error("ERR invalid cursor".into());
    };
    let options = match ScanOptions::parse(options) {
        Ok(options) => options,
        Err(error) => return error.into(),
    };
    let from = match number {
        0 => Some(Bytes::new()),
        number => on.front.cursors.lock().get(on.session.database, number),
    };
    let Some(from) = from else {
        let text = format!("ERR cursor {number} is not known any more: begin again with 0");
        return Reply::Error(text);
    };
    let mut walk = Walk::new(from);
    let (mut found, mut left) = (Vec::new(), options.count);
    loop {
        let (rows, is_last) = match walk.page(on, left).await {
            Ok(page) => page,
            Err(error) => return error,
        };
        left = left.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let wanted = rows.into_iter().filter(|row| options.wants(row));
        found.extend(wanted.map(|row| Reply::Bulk(row.key)));
        if is_last {
            return answer(0, found);
        }
        if left == 0 {
            let cursor = on.front.cursors.lock().keep(on.session.database, walk.from);
            return answer(cursor, found);
        }
    }
}

fn answer(cursor: u64, found: Vec<Reply>) -> Reply {
    let cursor = Reply::bulk(cursor.to_string().as_bytes());
    Reply::Array(vec![cursor, Reply::Array(found)])
}

/// Removes every key, page by page: a key that is written meanwhile may stay.
pub(crate) async fn flush(on: &mut Conversation, words: &[&[u8]]) -> Reply {
    let is_mode = |word: &[u8]| {
        let word = word.to_ascii_lowercase();
        word == b"async" || word == b"sync"
    };
    match words {
        [] => {}
        [word] if is_mode(word) => {}
        _ => return SYNTAX.into(),
    }
    let follower = on.session.follower.take();
    let reply = flush_pages(on).await;
    on.session.follower = follower;
    reply
}

async fn flush_pages(on: &mut Conversation) -> Reply {
    let mut walk = Walk::new(Bytes::new());
    loop {
        let (rows, is_last) = match walk.page(on, u32::MAX).await {
            Ok(page) => page,
            Err(error) => return error,
        };
        // Longest keys at most 64 at a time: a batch stays far below the longest operation.
        for rows in rows.chunks(64) {
            let deletes = rows.iter().map(|row| Operation::Delete { key: &row.key });
            let batch = Operation::Batch(deletes.collect()).encode();
            let done = on.lanes.write(on.session.database, vec![batch]).await;
            match done.into_iter().next() {
                Some(Ok((ack, _))) => on.session.wrote(ack),
                Some(Err(error)) => return failures::of_write(&error),
                None => {}
            }
        }
        if is_last {
            return OK;
        }
    }
}
