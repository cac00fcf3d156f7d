//! Raw TCP limits on loopback, to see what QUIC costs. Env: SECS per test.
use anyhow::Result;
use bytes::Bytes;
use limits::load::*;
use limits::*;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn server() -> Result<SocketAddr> {
    let (atx, arx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        rt().block_on(async move {
            let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            atx.send(l.local_addr().unwrap()).unwrap();
            while let Ok((mut s, _)) = l.accept().await {
                s.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let mut mode = [0u8; 1];
                    s.read_exact(&mut mode).await?;
                    let mut buf = vec![0u8; 256 * 1024];
                    if mode[0] == ECHO {
                        loop {
                            let n = s.read(&mut buf).await?;
                            if n == 0 {
                                break;
                            }
                            s.write_all(&buf[..n]).await?;
                        }
                    } else {
                        let mut total = 0u64;
                        let mut fc = FrameCounter::default();
                        loop {
                            let n = s.read(&mut buf).await?;
                            if n == 0 {
                                break;
                            }
                            total += n as u64;
                            if mode[0] == FRAMES {
                                fc.feed(&buf[..n]);
                            }
                        }
                        let n = if mode[0] == FRAMES { fc.frames } else { total };
                        s.write_all(&n.to_be_bytes()).await?;
                    }
                    anyhow::Ok(())
                });
            }
        })
    });
    Ok(arx.recv()?)
}

async fn run(addr: SocketAddr) -> Result<()> {
    let dur = Duration::from_secs_f64(secs());
    for (name, mode) in [
        ("tcp stream 64KiB write_all", SINK),
        ("tcp 100B msgs in 64KiB batches", FRAMES),
    ] {
        let mut s = tokio::net::TcpStream::connect(addr).await?;
        s.set_nodelay(true)?;
        s.write_all(&[mode]).await?;
        let data = Bytes::from(vec![9u8; CHUNK]);
        let m = Meter::start();
        let until = Instant::now() + dur;
        let mut seq = 0;
        while Instant::now() < until {
            if mode == SINK {
                s.write_all(&data).await?;
            } else {
                s.write_all(&batch(&mut seq)).await?;
            }
        }
        s.shutdown().await?;
        let n = s.read_u64().await?;
        let (wall, cpu) = (m.wall(), m.cpu());
        if mode == SINK {
            line(name, n as f64 / wall / 1e6, "MB/s", None, cpu, wall);
        } else {
            line(name, n as f64 / wall, "msg/s", None, cpu, wall);
        }
    }
    let one = |until: Instant| async move {
        let mut s = tokio::net::TcpStream::connect(addr).await?;
        s.set_nodelay(true)?;
        s.write_all(&[ECHO]).await?;
        let (req, mut resp) = ([1u8; MSG], [0u8; MSG]);
        let mut h = hist();
        while Instant::now() < until {
            let t = Instant::now();
            s.write_all(&req).await?;
            s.read_exact(&mut resp).await?;
            rec(&mut h, t.elapsed());
        }
        Ok(h)
    };
    many("tcp 100B echo, 1 connection", 1, one).await?;
    many("tcp 100B echo, 64 connections", 64, one).await?;
    Ok(())
}

fn main() -> Result<()> {
    let addr = server()?;
    rt().block_on(run(addr))
}
