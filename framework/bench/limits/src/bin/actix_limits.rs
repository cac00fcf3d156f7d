//! Actor mailbox limits of actix 0.13. Env: SECS per test.
use actix::prelude::*;
use futures::stream::{FuturesUnordered, StreamExt};
use limits::*;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Sink {
    n: u64,
}
impl Actor for Sink {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1 << 16);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick(u64);
impl Handler<Tick> for Sink {
    type Result = ();
    fn handle(&mut self, m: Tick, _: &mut Self::Context) {
        self.n = self.n.wrapping_add(m.0 | 1);
    }
}

/// A message with a 100-byte payload behind `Bytes` plus a few words, nearer to a replicated entry.
#[derive(Message)]
#[rtype(result = "()")]
struct Entry {
    key: [u8; 16],
    val: bytes::Bytes,
    seq: u64,
}
impl Handler<Entry> for Sink {
    type Result = ();
    fn handle(&mut self, m: Entry, _: &mut Self::Context) {
        self.n = self
            .n
            .wrapping_add(m.key[0] as u64 + m.val.len() as u64 + m.seq);
    }
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);
impl Handler<Ask> for Sink {
    type Result = u64;
    fn handle(&mut self, m: Ask, _: &mut Self::Context) -> u64 {
        self.n = self.n.wrapping_add(1);
        m.0 + 1
    }
}

/// do_send never waits, so a round trip after each burst keeps the mailbox bounded.
async fn burst(name: &str, a: Addr<Sink>, entry: bool) {
    const BURST: u64 = 4096;
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let m = Meter::start();
    let mut n = 0u64;
    let val = bytes::Bytes::from(vec![3u8; 100]);
    while Instant::now() < until {
        for _ in 0..BURST {
            n += 1;
            if entry {
                a.do_send(Entry {
                    key: [1; 16],
                    val: val.clone(),
                    seq: n,
                });
            } else {
                a.do_send(Tick(n));
            }
        }
        a.send(Ask(n)).await.unwrap();
    }
    let (wall, cpu) = (m.wall(), m.cpu());
    line(name, n as f64 / wall, "msg/s", None, cpu, wall);
}

async fn ask(name: &str, a: Addr<Sink>, inflight: usize) {
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let m = Meter::start();
    let mut h = hist();
    let mut fu = FuturesUnordered::new();
    let one = |a: &Addr<Sink>| {
        let f = a.send(Ask(1));
        async move {
            let t = Instant::now();
            f.await.unwrap();
            t.elapsed()
        }
    };
    for _ in 0..inflight {
        fu.push(one(&a));
    }
    while let Some(d) = fu.next().await {
        rec(&mut h, d);
        if Instant::now() < until {
            fu.push(one(&a));
        }
    }
    let (wall, cpu) = (m.wall(), m.cpu());
    line(name, h.len() as f64 / wall, "rt/s", Some(&h), cpu, wall);
}

/// Baseline: one tokio mpsc hop between two arbiters, to see what the mailbox itself costs.
async fn mpsc(name: &str, arb: &ArbiterHandle) {
    let (tx, mut rx) = tokio::sync::mpsc::channel::<Entry>(8192);
    let (dtx, drx) = tokio::sync::oneshot::channel();
    arb.spawn(async move {
        let mut n = 0u64;
        let mut v = Vec::with_capacity(1024);
        while rx.recv_many(&mut v, 1024).await > 0 {
            n += v.len() as u64;
            v.clear();
        }
        let _ = dtx.send(n);
    });
    let until = Instant::now() + Duration::from_secs_f64(secs());
    let m = Meter::start();
    let val = bytes::Bytes::from(vec![3u8; 100]);
    let mut i = 0u64;
    while Instant::now() < until {
        for _ in 0..256 {
            i += 1;
            let _ = tx
                .send(Entry {
                    key: [1; 16],
                    val: val.clone(),
                    seq: i,
                })
                .await;
        }
    }
    drop(tx);
    let n = drx.await.unwrap();
    let (wall, cpu) = (m.wall(), m.cpu());
    line(name, n as f64 / wall, "msg/s", None, cpu, wall);
}

fn main() {
    System::new().block_on(async {
        let same = Sink::default().start();
        burst("actix do_send u64, same arbiter", same.clone(), false).await;
        burst(
            "actix do_send 16B+Bytes(100), same arbiter",
            same.clone(),
            true,
        )
        .await;
        ask(
            "actix send().await, same arbiter, 1 in flight",
            same.clone(),
            1,
        )
        .await;
        ask(
            "actix send().await, same arbiter, 64 in flight",
            same.clone(),
            64,
        )
        .await;
        let arb = Arbiter::new();
        let far = Sink::start_in_arbiter(&arb.handle(), |_| Sink::default());
        burst("actix do_send u64, across arbiters", far.clone(), false).await;
        burst(
            "actix do_send 16B+Bytes(100), across arbiters",
            far.clone(),
            true,
        )
        .await;
        ask(
            "actix send().await, across arbiters, 1 in flight",
            far.clone(),
            1,
        )
        .await;
        ask(
            "actix send().await, across arbiters, 64 in flight",
            far.clone(),
            64,
        )
        .await;
        ask(
            "actix send().await, across arbiters, 1024 in flight",
            far.clone(),
            1024,
        )
        .await;
        mpsc(
            "tokio mpsc(8192) recv_many, across arbiters (baseline)",
            &arb.handle(),
        )
        .await;
        arb.stop();
        System::current().stop();
    });
}
