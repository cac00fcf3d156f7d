//! Load on etcd by gRPC.
use crate::common::{hist, report, Common, Rng};
use anyhow::{bail, Context, Result};
use clap::Args;
use std::time::{Duration, Instant};

#[derive(Args, Clone)]
pub struct Etcd {
    #[command(flatten)]
    pub c: Common,
    /// comma-separated host:port
    #[arg(long)]
    pub endpoints: String,
    /// number of gRPC connections that the clients share
    #[arg(long, default_value_t = 8)]
    pub conns: usize,
    /// put | get (linearizable) | sget (serializable)
    #[arg(long, default_value = "put")]
    pub op: String,
    /// worker threads of the generator
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

pub async fn run(o: Etcd) -> Result<()> {
    use etcd_client::{Client, GetOptions};
    let eps: Vec<String> = o.endpoints.split(',').map(|s| s.to_string()).collect();
    let mut conns = Vec::new();
    for i in 0..o.conns.min(o.c.clients) {
        // each connection is pinned to one member, members in turn
        let c = Client::connect([eps[i % eps.len()].as_str()], None)
            .await
            .context("connect")?;
        conns.push(c);
    }
    let t0 = Instant::now();
    let until = t0 + Duration::from_secs_f64(o.c.secs);
    let mut tasks = Vec::new();
    for i in 0..o.c.clients {
        let mut kv = conns[i % conns.len()].kv_client();
        let o = o.clone();
        tasks.push(tokio::spawn(async move {
            let mut rng = Rng(0x9e3779b97f4a7c15 ^ ((i as u64 + 1) << 20));
            let val = vec![b'x'; o.c.val];
            let mut h = hist();
            while Instant::now() < until {
                let k = rng.key(o.c.keyspace);
                let t = Instant::now();
                match o.op.as_str() {
                    "put" => drop(kv.put(k.to_vec(), val.clone(), None).await?),
                    "get" => drop(kv.get(k.to_vec(), None).await?),
                    "sget" => drop(
                        kv.get(k.to_vec(), Some(GetOptions::new().with_serializable()))
                            .await?,
                    ),
                    x => bail!("unknown op {x}"),
                }
                h.record(t.elapsed().as_micros().max(1) as u64)?;
            }
            Ok(h)
        }));
    }
    let mut h = hist();
    for t in tasks {
        h.add(t.await??)?;
    }
    report(h.len(), t0.elapsed().as_secs_f64(), &h, "");
    Ok(())
}
