//! The files of a folder: which are segments, and whose.

use std::collections::BTreeMap;

use repertoire_core::{Error, ErrorKind};

use crate::format::{FORMAT_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentHeaderError};
use crate::prepare::{BUILDING_SUFFIX, NAME_PREFIX, SEGMENT_SUFFIX};
use crate::segments::SegmentFile;
use crate::{Disk, LogPosition, SegmentLog};

/// What lies in the folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files with a valid header, by sequence.
    pub segments: BTreeMap<u64, SegmentFile>,
    /// Files without one.
    pub blank: Vec<SegmentFile>,
    /// A number above those in all names.
    pub next_name: u64,
}

impl Found {
    /// Where the log starts when no record was found.
    pub(super) fn first_position(&self) -> LogPosition {
        LogPosition {
            sequence: self.segments.keys().next().copied().unwrap_or_default(),
            offset: SEGMENT_HEADER_BYTES,
        }
    }
}

impl<D: Disk> SegmentLog<D> {
    /// Finds our files; removes half-made ones, and leaves files with other names alone.
    pub(super) fn find_files(&mut self) -> Result<Found, Error> {
        let mut found = Found::default();
        let listed = self.disk.list();
        let names = listed.map_err(|error| self.failed("listing the log folder", &error))?;
        for name in names {
            let Some((number, suffix)) = parse_name(&name) else {
                continue;
            };
            found.next_name = found.next_name.max(number + 1);
            let file = self.open_file(&name)?;
            if suffix == BUILDING_SUFFIX {
                let removed = self.disk.remove(&name, file.file);
                removed.map_err(|error| self.failed("removing a half-made segment", &error))?;
                continue;
            }
            match self.read_header(&file)? {
                None => found.blank.push(file),
                Some(header) => {
                    if let Some(twin) = found.segments.insert(header.sequence, file) {
                        return Err(Error::new(ErrorKind::Corrupted, "opening the log")
                            .with("sequence", header.sequence)
                            .with("file", name)
                            .with("twin", twin.name));
                    }
                }
            }
        }
        Ok(found)
    }

    fn open_file(&mut self, name: &str) -> Result<SegmentFile, Error> {
        let opened = self
            .disk
            .open(name)
            .and_then(|file| Ok((file, self.disk.len(file)?)));
        let (file, len) = opened.map_err(|error| self.failed("opening a segment", &error))?;
        Ok(SegmentFile {
            name: name.to_owned(),
            file,
            size: u32::try_from(len).unwrap_or(u32::MAX),
        })
    }

    /// `None` when the header does not validate. A copy of it that is rotten, or that a torn rewrite left
    /// behind, is written anew: the other one must not be the last.
    fn read_header(&mut self, file: &SegmentFile) -> Result<Option<SegmentHeader>, Error> {
        if file.size < SEGMENT_HEADER_BYTES {
            return Ok(None);
        }
        let mut page = vec![0; SEGMENT_HEADER_BYTES as usize];
        let read = self.disk.read_at(file.file, 0, &mut page);
        read.map_err(|error| self.failed_for_good("reading a segment", &error))?;
        match SegmentHeader::decode(&page, self.options.identity) {
            Ok(header) => {
                let whole = header.encode();
                if page != whole {
                    let written = self.disk.write_at(file.file, 0, &whole);
                    let synced = written.and_then(|()| self.disk.sync_data(file.file));
                    synced.map_err(|error| self.failed_for_good("mending a header", &error))?;
                }
                Ok(Some(header))
            }
            Err(SegmentHeaderError::Invalid) => Ok(None),
            Err(SegmentHeaderError::Version(version)) => {
                Err(Error::new(ErrorKind::Unsupported, "opening the log")
                    .with("file", &file.name)
                    .with("format version", version)
                    .with("supported", FORMAT_VERSION))
            }
            Err(SegmentHeaderError::Identity(identity)) => {
                Err(Error::new(ErrorKind::ConfigInvalid, "opening the log")
                    .with("file", &file.name)
                    .with("folder of", format!("{identity:032x}"))
                    .with("expected", format!("{:032x}", self.options.identity)))
            }
        }
    }
}

/// The number and the suffix of one of our names.
fn parse_name(name: &str) -> Option<(u64, &str)> {
    let rest = name.strip_prefix(NAME_PREFIX)?;
    let dot = rest.find('.')?;
    let (number, suffix) = rest.split_at_checked(dot)?;
    let known = suffix == SEGMENT_SUFFIX || suffix == BUILDING_SUFFIX;
    known.then_some((number.parse().ok()?, suffix))
}
