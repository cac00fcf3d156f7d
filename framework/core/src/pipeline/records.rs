//! Reading an entry's body back: one record after the other, borrowed.

use crate::cursor::{Cursor, DecodeError};
use crate::limits::{DATA_FRAME_MAX, ENTRY_RECORDS_MAX};
use crate::{ClientId, Entry, EntryId, Lsn, PayloadHash, RequestId};

/// One record of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its name in the history.
    pub position: EntryId,
    /// The request that it carries out.
    pub id: RequestId,
    /// Hash of that request's body.
    pub hash: PayloadHash,
    /// What the request returned.
    pub result: &'a [u8],
    /// What changes, in the entry's log format.
    pub payload: &'a [u8],
}

/// Iterates over the records of an entry.
#[derive(Clone, Debug)]
pub struct RecordReader<'a> {
    cursor: Cursor<'a>,
    next: EntryId,
    left: u32,
    run: RequestId,
    run_left: u32,
}

impl<'a> RecordReader<'a> {
    /// Starts at the first record. Barriers and other entries without records give none.
    pub fn new(entry: &'a Entry) -> Self {
        let left = if entry.kind == crate::EntryKind::Records {
            entry.count
        } else {
            0
        };
        Self {
            cursor: Cursor::new(&entry.body),
            next: EntryId::new(entry.epoch, entry.first),
            left,
            run: RequestId::default(),
            run_left: 0,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, DecodeError> {
        if self.run_left == 0 {
            let client = ClientId(self.cursor.u128("client")?);
            let seq = self.cursor.u64("sequence")?;
            let acked_upto = self.cursor.u64("acknowledged")?;
            self.run = RequestId {
                client,
                seq,
                acked_upto,
            };
            self.run_left = self.cursor.u32("run length")?;
            if self.run_left == 0 || self.run_left as usize > ENTRY_RECORDS_MAX {
                let value = self.run_left.into();
                return Err(DecodeError::Invalid {
                    field: "run length",
                    value,
                });
            }
        }
        let hash = PayloadHash(self.cursor.u32("payload hash")?);
        let result = self.cursor.blob(DATA_FRAME_MAX, "result")?;
        let payload = self.cursor.blob(DATA_FRAME_MAX, "payload")?;
        let record = Record {
            position: self.next,
            id: self.run,
            hash,
            result,
            payload,
        };
        self.run.seq = self.run.seq.saturating_add(1);
        self.run_left -= 1;
        self.next.lsn = Lsn(self.next.lsn.0.saturating_add(1));
        Ok(record)
    }
}

impl<'a> Iterator for RecordReader<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let record = self.read();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}
