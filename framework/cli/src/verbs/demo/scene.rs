//! A keyspace while the demo plays: its data, and what it must hold by now.

use std::time::Duration;

use repertoire::core::{Error, NodeId, ReadLevel};
use repertoire_client::{Client, Keyspace};
use tokio::time::Instant;

use super::cast::Part;
use super::data::Data;
use crate::loader::Loader;
use crate::progress;

/// Rows in one submission.
const BATCH: usize = 256;

/// A keyspace while the demo plays.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) part: &'static Part,
    pub(crate) data: Data,
    pub(crate) keyspace: Keyspace,
    /// How often each row was changed.
    pub(crate) versions: Vec<u64>,
    /// Rows beside the data set.
    pub(crate) extra: u64,
    pub(crate) imported: Imported,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Imported {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) span: Duration,
}

impl Scene {
    pub(crate) async fn open(
        client: &Client,
        part: &'static Part,
        rows: u64,
        seed: u64,
    ) -> Result<Self, Error> {
        let rows = rows * part.percent / 100;
        let keyspace = client.keyspace(part.name).await?;
        let data = Data {
            seed,
            name: part.name,
            rows,
        };
        let versions = (0..rows).map(|_| 0).collect();
        let imported = Imported::default();
        Ok(Self {
            part,
            data,
            keyspace,
            versions,
            extra: 0,
            imported,
        })
    }

    /// Rows that it must hold.
    pub(crate) fn rows(&self) -> u64 {
        self.data.rows + self.extra
    }

    /// The keyspace as one node has it.
    pub(crate) fn at(&self, node: NodeId) -> Keyspace {
        self.keyspace.level(ReadLevel::Local).at(node)
    }

    /// Writes every row of the data set.
    pub(crate) async fn import(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let bar = progress::rows(self.part.name, self.data.rows);
        let mut loader = Loader::new(&self.keyspace);
        let mut batch = Vec::with_capacity(BATCH);
        let mut bytes = 0;
        for row in 0..self.data.rows {
            let put = self.data.put(row, 0);
            bytes += put.len() as u64;
            batch.push(put);
            if batch.len() == BATCH {
                loader.submit(std::mem::take(&mut batch)).await?;
                bar.set_position(loader.written());
            }
        }
        loader.submit(batch).await?;
        let rows = loader.finish().await?;
        bar.finish_and_clear();
        self.imported = Imported {
            rows,
            bytes,
            span: began.elapsed(),
        };
        Ok(())
    }
}
