//! Rows of several shards, merged in the order of their keys.

use std::collections::VecDeque;

use repertoire_core::{Error, ErrorKind, Row, ShardId};
use tokio::task::JoinSet;

use crate::guarantees::SessionKeyspace;
use crate::keyspace::Keyspace;

/// Most rows of one page of one shard; halved when their bytes do not fit one answer.
const PAGE_ROWS: u32 = 1024;

/// Fewest rows of a page, however many shards there are.
const PAGE_ROWS_MIN: u32 = 16;

/// The rows of a range, of all shards, in the order of their keys. Each page of each shard is a read
/// of its own: rows that are written meanwhile may or may not be seen. At most about 1024 rows are
/// held, or 16 of each shard where that is more.
#[derive(Debug)]
pub struct Rows {
    source: Source,
    to: Vec<u8>,
    lanes: Vec<Lane>,
    /// In order, and not yet returned: kept when a page fails.
    ready: Vec<Row>,
    page: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Plain(Keyspace),
    Session(SessionKeyspace),
}

/// What is known of one shard.
#[derive(Debug)]
struct Lane {
    shard: ShardId,
    /// Where its next page begins.
    from: Vec<u8>,
    rows: VecDeque<Row>,
    is_done: bool,
}

impl Rows {
    pub(super) fn of(keyspace: Keyspace, from: &[u8], to: &[u8]) -> Self {
        let shards = keyspace.shards();
        Self::new(Source::Plain(keyspace), &shards, from, to)
    }

    pub(super) fn of_shard(keyspace: Keyspace, shard: ShardId, from: &[u8], to: &[u8]) -> Self {
        Self::new(Source::Plain(keyspace), &[shard], from, to)
    }

    pub(super) fn of_session(keyspace: SessionKeyspace, from: &[u8], to: &[u8]) -> Self {
        let shards = keyspace.shards();
        Self::new(Source::Session(keyspace), &shards, from, to)
    }

    fn new(source: Source, shards: &[ShardId], from: &[u8], to: &[u8]) -> Self {
        let lane = |shard: &ShardId| Lane {
            shard: *shard,
            from: from.to_vec(),
            rows: VecDeque::new(),
            is_done: false,
        };
        let among = u32::try_from(shards.len()).unwrap_or(u32::MAX).max(1);
        Self {
            source,
            to: to.to_vec(),
            lanes: shards.iter().map(lane).collect(),
            ready: Vec::new(),
            page: (PAGE_ROWS / among).max(PAGE_ROWS_MIN),
        }
    }

    /// The next rows, as many as `limit` unless there are no more; nothing behind the last. After an
    /// error it may be called again, and goes on where it was.
    ///
    /// # Errors
    /// Those of the reads.
    pub async fn next(&mut self, limit: usize) -> Result<Option<Vec<Row>>, Error> {
        while self.ready.len() < limit {
            if self.lanes.iter().any(Lane::is_dry) {
                self.fill(limit).await?;
            } else if let Some(row) = self.smallest() {
                self.ready.push(row);
            } else {
                break;
            }
        }
        let more = self.ready.split_off(limit.min(self.ready.len()));
        let rows = std::mem::replace(&mut self.ready, more);
        Ok((!rows.is_empty() || limit == 0).then_some(rows))
    }

    fn smallest(&mut self) -> Option<Row> {
        let key = |lane: &Lane| lane.rows.front().map(|row| row.key.clone());
        let lanes = self.lanes.iter_mut().filter(|lane| !lane.rows.is_empty());
        lanes.min_by_key(|lane| key(lane))?.rows.pop_front()
    }

    /// Fetches the next page of every shard whose page is used up, at the same time.
    async fn fill(&mut self, limit: usize) -> Result<(), Error> {
        let wanted = u32::try_from(limit).unwrap_or(u32::MAX).min(self.page);
        let mut tasks = JoinSet::new();
        for (index, lane) in self.lanes.iter().enumerate().filter(|(_, it)| it.is_dry()) {
            let (source, shard) = (self.source.clone(), lane.shard);
            let (from, to) = (lane.from.clone(), self.to.clone());
            tasks.spawn(async move { (index, source.page(shard, &from, &to, wanted).await) });
        }
        let mut failure = None;
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok((index, Ok((rows, is_last)))) => {
                    if let Some(lane) = self.lanes.get_mut(index) {
                        lane.take(rows, is_last);
                    }
                }
                Ok((_, Err(error))) => failure = Some(error),
                Err(error) => failure = Some(super::lost(&error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Lane {
    /// Whether its smallest row is not known.
    fn is_dry(&self) -> bool {
        self.rows.is_empty() && !self.is_done
    }

    fn take(&mut self, rows: Vec<Row>, is_last: bool) {
        self.is_done = is_last;
        if let Some(last) = rows.last() {
            self.from = last.key.to_vec();
            self.from.push(0);
        }
        self.rows.extend(rows);
    }
}

impl Source {
    /// A page, and whether it is the last.
    async fn page(
        &self,
        shard: ShardId,
        from: &[u8],
        to: &[u8],
        mut limit: u32,
    ) -> Result<(Vec<Row>, bool), Error> {
        loop {
            let page = match self {
                Self::Plain(keyspace) => {
                    let page = keyspace.scan_shard(shard, from, to, limit).await;
                    page.map(|(_, rows)| rows)
                }
                Self::Session(keyspace) => keyspace.scan_shard(shard, from, to, limit).await,
            };
            match page {
                Ok(rows) => {
                    let is_last = u32::try_from(rows.len()).is_ok_and(|found| found < limit);
                    return Ok((rows, is_last));
                }
                Err(error) if limit > 1 && is_too_large(&error) => limit /= 2,
                Err(error) => return Err(error),
            }
        }
    }
}

const fn is_too_large(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TooLarge { .. })
}
