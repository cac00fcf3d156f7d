//! Writing many rows without waiting for each.

use bytes::Bytes;
use repertoire::core::Error;
use repertoire_client::{Completion, Completions, Keyspace, Pipeline};

/// Writes many rows and counts what became of them.
#[derive(Debug)]
pub(crate) struct Loader {
    pipeline: Pipeline,
    completions: Completions,
    batch: Vec<Completion>,
    submitted: u64,
    written: u64,
    failed: u64,
    first_error: Option<Error>,
}

impl Loader {
    pub(crate) fn new(keyspace: &Keyspace) -> Self {
        let (pipeline, completions) = keyspace.pipeline();
        Self {
            pipeline,
            completions,
            batch: Vec::new(),
            submitted: 0,
            written: 0,
            failed: 0,
            first_error: None,
        }
    }

    /// Submits encoded operations; waits while the client's buffer is full.
    ///
    /// # Errors
    /// When one of them can never be written, or an earlier one has failed.
    pub(crate) async fn submit(&mut self, operations: Vec<Bytes>) -> Result<(), Error> {
        self.submitted += operations.len() as u64;
        self.pipeline.submit(operations).await?;
        self.completions.try_next(&mut self.batch);
        self.take();
        self.first_error.clone().map_or(Ok(()), Err)
    }

    /// Waits until everything that was submitted has ended.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn finish(&mut self) -> Result<u64, Error> {
        while self.written + self.failed < self.submitted {
            self.completions.next(&mut self.batch).await;
            self.take();
        }
        match &self.first_error {
            Some(error) => Err(error.clone()),
            None => Ok(self.written),
        }
    }

    /// Rows that are written.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    fn take(&mut self) {
        for completion in self.batch.drain(..) {
            let count = completion.count();
            if let Completion::Failed { error, .. } = completion {
                self.failed += count;
                self.first_error.get_or_insert(*error);
            } else {
                self.written += count;
            }
        }
    }
}
