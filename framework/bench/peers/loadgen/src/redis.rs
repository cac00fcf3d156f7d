//! Load on redis by RESP, with WAIT.
use crate::common::{hist, report, Common, Rng};
use anyhow::{bail, Result};
use clap::Args;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Args, Clone)]
pub struct Redis {
    #[command(flatten)]
    pub c: Common,
    #[arg(long)]
    pub addr: String,
    #[arg(long, default_value_t = 1)]
    pub pipeline: usize,
    /// WAIT for this many replicas after each pipeline (0: no WAIT)
    #[arg(long, default_value_t = 0)]
    pub wait: usize,
}

#[derive(Args, Clone)]
pub struct Catchup {
    #[command(flatten)]
    pub c: Common,
    #[arg(long)]
    pub addr: String,
    #[arg(long, default_value_t = 1_000_000)]
    pub n: u64,
    #[arg(long, default_value_t = 1000)]
    pub pipeline: u64,
    #[arg(long, default_value_t = 2)]
    pub replicas: usize,
}

fn set_cmd(buf: &mut Vec<u8>, k: &[u8], v: &[u8]) {
    buf.extend_from_slice(format!("*3\r\n$3\r\nSET\r\n${}\r\n", k.len()).as_bytes());
    buf.extend_from_slice(k);
    buf.extend_from_slice(format!("\r\n${}\r\n", v.len()).as_bytes());
    buf.extend_from_slice(v);
    buf.extend_from_slice(b"\r\n");
}

/// Reads until `n` single-line replies have come; returns the last line.
async fn replies(s: &mut tokio::net::TcpStream, rbuf: &mut Vec<u8>, n: usize) -> Result<String> {
    rbuf.clear();
    let (mut seen, mut start, mut scan) = (0, 0, 0);
    loop {
        while scan < rbuf.len() {
            if rbuf[scan] == b'\n' {
                if rbuf[start] == b'-' {
                    bail!("redis: {}", String::from_utf8_lossy(&rbuf[start..scan]));
                }
                seen += 1;
                if seen == n {
                    return Ok(String::from_utf8_lossy(&rbuf[start..scan])
                        .trim()
                        .to_string());
                }
                start = scan + 1;
            }
            scan += 1;
        }
        if s.read_buf(rbuf).await? == 0 {
            bail!("closed");
        }
    }
}

pub async fn run(o: Redis) -> Result<()> {
    let t0 = Instant::now();
    let until = t0 + Duration::from_secs_f64(o.c.secs);
    let mut tasks = Vec::new();
    for i in 0..o.c.clients {
        let o = o.clone();
        tasks.push(tokio::spawn(async move {
            let mut s = tokio::net::TcpStream::connect(&o.addr).await?;
            s.set_nodelay(true)?;
            let mut rng = Rng(0x9e3779b97f4a7c15 ^ ((i as u64 + 1) << 20));
            let val = vec![b'x'; o.c.val];
            let (mut wbuf, mut rbuf) = (Vec::new(), Vec::with_capacity(65536));
            let wait = if o.wait > 0 {
                format!("*3\r\n$4\r\nWAIT\r\n$1\r\n{}\r\n$1\r\n0\r\n", o.wait)
            } else {
                String::new()
            };
            let mut h = hist();
            let mut ops = 0u64;
            while Instant::now() < until {
                wbuf.clear();
                for _ in 0..o.pipeline {
                    let k = rng.key(o.c.keyspace);
                    set_cmd(&mut wbuf, &k, &val);
                }
                wbuf.extend_from_slice(wait.as_bytes());
                let t = Instant::now();
                s.write_all(&wbuf).await?;
                let last = replies(&mut s, &mut rbuf, o.pipeline + (o.wait > 0) as usize).await?;
                if o.wait > 0 && last.trim_start_matches(':').parse::<usize>()? < o.wait {
                    bail!("WAIT answered {last}");
                }
                h.record(t.elapsed().as_micros().max(1) as u64)?;
                ops += o.pipeline as u64;
            }
            Ok((ops, h))
        }));
    }
    let (mut ops, mut h) = (0, hist());
    for t in tasks {
        let (n, x) = t.await??;
        ops += n;
        h.add(x)?;
    }
    report(ops, t0.elapsed().as_secs_f64(), &h, "");
    Ok(())
}

pub async fn catchup(o: Catchup) -> Result<()> {
    let mut s = tokio::net::TcpStream::connect(&o.addr).await?;
    s.set_nodelay(true)?;
    let mut rng = Rng(77);
    let val = vec![b'x'; o.c.val];
    let (mut wbuf, mut rbuf) = (Vec::new(), Vec::with_capacity(65536));
    let t0 = Instant::now();
    let mut left = o.n;
    let mut h = hist();
    while left > 0 {
        let k = left.min(o.pipeline);
        wbuf.clear();
        for _ in 0..k {
            let key = rng.key(o.c.keyspace);
            set_cmd(&mut wbuf, &key, &val);
        }
        let t = Instant::now();
        s.write_all(&wbuf).await?;
        replies(&mut s, &mut rbuf, k as usize).await?;
        h.record(t.elapsed().as_micros().max(1) as u64)?;
        left -= k;
    }
    let wrote = t0.elapsed().as_secs_f64();
    let t1 = Instant::now();
    s.write_all(format!("*3\r\n$4\r\nWAIT\r\n$1\r\n{}\r\n$1\r\n0\r\n", o.replicas).as_bytes())
        .await?;
    let got = replies(&mut s, &mut rbuf, 1).await?;
    let lag = t1.elapsed().as_secs_f64();
    report(
        o.n,
        wrote,
        &h,
        &format!(",\"catchup_ms\":{:.2},\"acked\":\"{got}\"", lag * 1e3),
    );
    Ok(())
}
