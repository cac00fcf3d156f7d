//! How often a file can be written and synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Size of the file that is written ahead.
const FILE_BYTES: u64 = 16 << 20;
const PAGE: usize = 4096;

/// `fdatasync` calls per second after overwriting 4 KiB, of that many files at once, summed.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn syncs_per_second(folder: &Path, files: usize, span: Duration) -> io::Result<f64> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..files)
            .map(|number| {
                scope.spawn(move || one_file(&folder.join(format!("limit-{number}")), span))
            })
            .collect();
        let mut sum = 0.0;
        for thread in threads {
            sum += thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
        }
        Ok(sum)
    })
}

fn one_file(path: &Path, span: Duration) -> io::Result<f64> {
    let file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for megabyte in 0..FILE_BYTES / (1 << 20) {
        file.write_all_at(&zeros, megabyte << 20)?;
    }
    file.sync_all()?;
    let page = [7; PAGE];
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < span {
        file.write_all_at(&page, u64::from(count) * PAGE as u64 % FILE_BYTES)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}
