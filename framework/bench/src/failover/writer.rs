//! A client that writes at a steady rate, each write under a key of its own, whatever becomes of the
//! ones before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// What became of the writes.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Numbers of those that were acknowledged.
    pub(super) acknowledged: Vec<u64>,
    /// How many were not.
    pub(super) failed: u64,
    /// When each acknowledgement arrived, in order.
    times: Vec<Instant>,
}

/// See the module's documentation.
pub(super) struct Writer {
    written: Arc<Mutex<Written>>,
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

/// The key of a write.
pub(super) fn key(number: u64) -> String {
    format!("write-{number:010}")
}

impl Writer {
    pub(super) fn start(keyspace: &Keyspace, rate: u64) -> Self {
        let written = Arc::new(Mutex::new(Written::default()));
        let end = Arc::new(Notify::new());
        let pause = Duration::from_nanos(1_000_000_000 / rate);
        let task = tokio::spawn(write(
            keyspace.clone(),
            pause,
            Arc::clone(&written),
            Arc::clone(&end),
        ));
        Self { written, end, task }
    }

    /// The time from the last acknowledgement up to `killed` to the first one after the pause that the
    /// kill made: the longest time without one, from then on, once they flow again.
    pub(super) async fn gap_after(
        &self,
        killed: Instant,
        patience: Duration,
    ) -> Result<Duration, Error> {
        let end = Instant::now() + patience;
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Some(gap) = self.written.lock().gap(killed) {
                return Ok(gap);
            }
            if Instant::now() >= end {
                return Err(Error::new(ErrorKind::Timeout, "write after a failover"));
            }
        }
    }

    /// Ends, once every write has its answer.
    pub(super) async fn stop(self) -> Written {
        self.end.notify_one();
        // A task that panicked has said so.
        let _ended = self.task.await;
        std::mem::take(&mut self.written.lock())
    }
}

impl Written {
    /// The longest time without an acknowledgement since the last one up to `killed`; nothing until
    /// they have flowed again for as long as a leader's death may go unnoticed.
    fn gap(&self, killed: Instant) -> Option<Duration> {
        let before = self.times.partition_point(|at| *at <= killed);
        let times = self.times.get(before.saturating_sub(1)..)?;
        let pairs = times.iter().zip(times.iter().skip(1));
        let gaps = pairs.map(|(from, to)| (to.duration_since(*from), *to));
        let (longest, until) = gaps.max()?;
        let flows_again = times.last()?.duration_since(until) >= FLOWS_FOR;
        flows_again.then_some(longest)
    }
}

/// Writes that have flowed for so long after a pause flow again: an election takes less.
const FLOWS_FOR: Duration = Duration::from_millis(1500);

async fn write(
    keyspace: Keyspace,
    pause: Duration,
    written: Arc<Mutex<Written>>,
    end: Arc<Notify>,
) {
    let mut under_way = JoinSet::new();
    let mut beat = tokio::time::interval(pause);
    let mut number = 0;
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = end.notified() => break,
        }
        number += 1;
        let (keyspace, written) = (keyspace.clone(), Arc::clone(&written));
        under_way.spawn(async move {
            let put = keyspace.put(key(number), number.to_be_bytes()).await;
            let mut written = written.lock();
            match put {
                Ok(_) => {
                    written.acknowledged.push(number);
                    written.times.push(Instant::now());
                }
                Err(_) => written.failed += 1,
            }
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}
