//! What the QUIC and the TCP program share: frames, batches and closed-loop clients.
use crate::*;
use anyhow::Result;
use bytes::{Bytes, BytesMut};

pub const MSG: usize = 100;
pub const CHUNK: usize = 64 * 1024;
pub const SINK: u8 = 0;
pub const FRAMES: u8 = 1;
pub const ECHO: u8 = 2;

/// A runtime of one thread.
pub fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Counts length-prefixed frames in a byte stream that arrives in arbitrary pieces.
#[derive(Default)]
pub struct FrameCounter {
    buf: BytesMut,
    pub frames: u64,
}
impl FrameCounter {
    pub fn feed(&mut self, b: &[u8]) {
        self.buf.extend_from_slice(b);
        let mut off = 0;
        while self.buf.len() - off >= 4 {
            let n = u32::from_be_bytes(self.buf[off..off + 4].try_into().unwrap()) as usize;
            if self.buf.len() - off < 4 + n {
                break;
            }
            self.frames += 1;
            off += 4 + n;
        }
        let _ = self.buf.split_to(off);
    }
}

/// Encodes 100-byte messages afresh into one buffer of at most 64 KiB.
pub fn batch(seq: &mut u64) -> Bytes {
    let mut b = BytesMut::with_capacity(CHUNK);
    let mut body = [7u8; MSG];
    while b.len() + 4 + MSG <= CHUNK {
        *seq += 1;
        body[..8].copy_from_slice(&seq.to_be_bytes());
        b.extend_from_slice(&(MSG as u32).to_be_bytes());
        b.extend_from_slice(&body);
    }
    b.freeze()
}

/// Runs `n` closed-loop clients for SECS and prints one line.
pub async fn many<F, Fut>(name: &str, n: usize, f: F) -> Result<()>
where
    F: Fn(Instant) -> Fut,
    Fut: std::future::Future<Output = Result<hdrhistogram::Histogram<u64>>>,
{
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let m = Meter::start();
    let hs = futures::future::try_join_all((0..n).map(|_| f(until))).await?;
    let (wall, cpu) = (m.wall(), m.cpu());
    let mut h = hist();
    for x in hs {
        h.add(x).unwrap();
    }
    line(name, h.len() as f64 / wall, "rt/s", Some(&h), cpu, wall);
    Ok(())
}
