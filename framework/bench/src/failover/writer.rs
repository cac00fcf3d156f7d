//! A client that writes at a steady rate, each write under a key of its own, whatever becomes of the
//! ones before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use super::Load;

/// What became of the writes.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Numbers of those that were acknowledged.
    pub(super) acknowledged: Vec<u64>,
    /// How many were not.
    pub(super) failed: u64,
    /// When each acknowledgement arrived, in order, and when its write was submitted.
    times: Vec<(Instant, Instant)>,
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

/// The value of a write.
pub(super) fn value(number: u64, bytes: usize) -> Vec<u8> {
    let number = number.to_be_bytes().into_iter().cycle();
    number.take(bytes.max(8)).collect()
}

impl Writer {
    pub(super) fn start(load: &Load) -> Self {
        let written = Arc::new(Mutex::new(Written::default()));
        let end = Arc::new(Notify::new());
        let pause = Duration::from_nanos(1_000_000_000 / load.rate);
        let task = tokio::spawn(write(
            load.keyspace.clone(),
            (pause, load.bytes),
            Arc::clone(&written),
            Arc::clone(&end),
        ));
        Self { written, end, task }
    }

    /// The time from the last acknowledgement of a leader that was dead at `killed` to the first one of
    /// its successor.
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
    /// A write that was submitted to nobody but a successor ends the pause. Between the last
    /// acknowledgement before the kill and that one, acknowledgements that were on their way and
    /// repeated writes arrive, too: the pause is the longest time without any.
    fn gap(&self, killed: Instant) -> Option<Duration> {
        let before = self.times.partition_point(|(at, _)| *at <= killed);
        let times = self.times.get(before.saturating_sub(1)..)?;
        let ends = times.iter().position(|(_, from)| *from > killed)?;
        let times = times.get(..=ends)?;
        let pairs = times.iter().zip(times.iter().skip(1));
        pairs
            .map(|((from, _), (to, _))| to.duration_since(*from))
            .max()
    }
}

async fn write(
    keyspace: Keyspace,
    (pause, bytes): (Duration, usize),
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
            let submitted = Instant::now();
            let put = keyspace.put(key(number), value(number, bytes)).await;
            let mut written = written.lock();
            match put {
                Ok(_) => {
                    written.acknowledged.push(number);
                    written.times.push((Instant::now(), submitted));
                }
                Err(_) => written.failed += 1,
            }
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}
