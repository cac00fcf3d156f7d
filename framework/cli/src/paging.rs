//! Reading many rows, page by page.

use repertoire::core::{Error, ErrorKind, Row, ShardId};
use repertoire_client::Keyspace;

/// Rows of a page at first; halved when their bytes do not fit one answer.
const PAGE_ROWS: u32 = 1024;

/// Reads the rows of a shard in order, page by page. Each page is a read of its own: rows that are
/// written meanwhile may or may not be seen.
#[derive(Debug)]
pub(crate) struct Pages {
    keyspace: Keyspace,
    shard: ShardId,
    from: Vec<u8>,
    to: Vec<u8>,
    rows: u32,
    is_done: bool,
}

impl Pages {
    /// Keys in `[from, to)`; an empty `to` means no end.
    pub(crate) const fn new(
        keyspace: Keyspace,
        shard: ShardId,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> Self {
        let (rows, is_done) = (PAGE_ROWS, false);
        Self {
            keyspace,
            shard,
            from,
            to,
            rows,
            is_done,
        }
    }

    /// The next page, at most `limit` rows; nothing after the last.
    pub(crate) async fn next(&mut self, limit: u64) -> Result<Option<Vec<Row>>, Error> {
        while !self.is_done && limit > 0 {
            let limit = u32::try_from(limit).unwrap_or(u32::MAX).min(self.rows);
            let page = self
                .keyspace
                .scan_shard(self.shard, &self.from, &self.to, limit)
                .await;
            match page {
                Ok((_, rows)) => {
                    self.is_done = rows.len() < usize::try_from(limit).unwrap_or(usize::MAX);
                    if let Some(last) = rows.last() {
                        self.from = last.key.to_vec();
                        self.from.push(0);
                    }
                    return Ok(Some(rows));
                }
                Err(error) if self.rows > 1 && is_too_large(&error) => self.rows /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn is_too_large(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TooLarge { .. })
}

/// The first key behind all that begin with `prefix`; empty when there is none.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::end_of_prefix;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(end_of_prefix(b"ab"), b"ac");
        assert_eq!(end_of_prefix(&[b'a', 0xff]), b"b");
        assert_eq!(end_of_prefix(&[0xff, 0xff]), b"");
    }
}
