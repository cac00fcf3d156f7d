//! Raw quinn (QUIC) limits on loopback.
//! Two OS threads, each with its own current-thread tokio runtime: one serves, one drives load.
//! Env: SECS (per test, default 3), CRYPTO=ring|aws (default ring), MTU=jumbo (else quinn's default).
use anyhow::Result;
use bytes::Bytes;
use limits::load::*;
use limits::*;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(match std::env::var("CRYPTO").as_deref() {
        Ok("aws") => rustls::crypto::aws_lc_rs::default_provider(),
        _ => rustls::crypto::ring::default_provider(),
    })
}

fn jumbo() -> bool {
    std::env::var("MTU").as_deref() == Ok("jumbo")
}

fn transport() -> Arc<quinn::TransportConfig> {
    let mut t = quinn::TransportConfig::default();
    t.stream_receive_window(quinn::VarInt::from_u32(8 << 20));
    t.receive_window(quinn::VarInt::from_u32(16 << 20));
    t.send_window(16 << 20);
    t.max_concurrent_bidi_streams(quinn::VarInt::from_u32(4096));
    if jumbo() {
        // initial_mtu(16 KiB) with upper_bound(65_000) hung in the handshake on loopback; 10 GSO segments of
        // 6000 bytes still fit one 64 KiB send
        let mut d = quinn::MtuDiscoveryConfig::default();
        d.upper_bound(6_000);
        t.mtu_discovery_config(Some(d));
    }
    Arc::new(t)
}

fn endpoint_config() -> quinn::EndpointConfig {
    let mut e = quinn::EndpointConfig::default();
    if jumbo() {
        e.max_udp_payload_size(65_000).unwrap();
    }
    e
}

async fn serve_stream(mut tx: quinn::SendStream, mut rx: quinn::RecvStream) -> Result<()> {
    let mut mode = [0u8; 1];
    rx.read_exact(&mut mode).await?;
    match mode[0] {
        ECHO => {
            while let Some(c) = rx.read_chunk(CHUNK, true).await? {
                tx.write_chunk(c.bytes).await?;
            }
        }
        m => {
            let mut bytes = 0u64;
            let mut fc = FrameCounter::default();
            while let Some(c) = rx.read_chunk(usize::MAX, true).await? {
                bytes += c.bytes.len() as u64;
                if m == FRAMES {
                    fc.feed(&c.bytes);
                }
            }
            let n = if m == FRAMES { fc.frames } else { bytes };
            tx.write_all(&n.to_be_bytes()).await?;
        }
    }
    tx.finish()?;
    Ok(())
}

fn server(cert: rustls::pki_types::CertificateDer<'static>, key: Vec<u8>) -> Result<SocketAddr> {
    let (atx, arx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        rt().block_on(async move {
            let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.into());
            let tls = rustls::ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![cert], key)
                .unwrap();
            let mut sc = quinn::ServerConfig::with_crypto(Arc::new(
                QuicServerConfig::try_from(tls).unwrap(),
            ));
            sc.transport_config(transport());
            let sock = UdpSocket::bind("127.0.0.1:0").unwrap();
            let ep = quinn::Endpoint::new(
                endpoint_config(),
                Some(sc),
                sock,
                Arc::new(quinn::TokioRuntime),
            )
            .unwrap();
            atx.send(ep.local_addr().unwrap()).unwrap();
            while let Some(inc) = ep.accept().await {
                tokio::spawn(async move {
                    let conn = inc.await.unwrap();
                    while let Ok((tx, rx)) = conn.accept_bi().await {
                        tokio::spawn(async move {
                            let _ = serve_stream(tx, rx).await;
                        });
                    }
                });
            }
        })
    });
    Ok(arx.recv()?)
}

async fn rr_one(conn: &quinn::Connection, until: Instant) -> Result<hdrhistogram::Histogram<u64>> {
    let (mut tx, mut rx) = conn.open_bi().await?;
    tx.write_all(&[ECHO]).await?;
    let (req, mut resp) = ([1u8; MSG], [0u8; MSG]);
    let mut h = hist();
    while Instant::now() < until {
        let t = Instant::now();
        tx.write_all(&req).await?;
        rx.read_exact(&mut resp).await?;
        rec(&mut h, t.elapsed());
    }
    tx.finish()?;
    Ok(h)
}

async fn rr_new_stream(
    conn: &quinn::Connection,
    until: Instant,
) -> Result<hdrhistogram::Histogram<u64>> {
    let mut h = hist();
    let mut req = [1u8; MSG + 1];
    req[0] = ECHO;
    while Instant::now() < until {
        let t = Instant::now();
        let (mut tx, mut rx) = conn.open_bi().await?;
        tx.write_all(&req).await?;
        tx.finish()?;
        let r = rx.read_to_end(1024).await?;
        assert_eq!(r.len(), MSG);
        rec(&mut h, t.elapsed());
    }
    Ok(h)
}

async fn quic(tag: &str, conn: &quinn::Connection) -> Result<()> {
    let dur = Duration::from_secs_f64(secs());
    // throughput, 64 KiB writes
    for (name, copy) in [
        ("stream 64KiB write_chunk", false),
        ("stream 64KiB write_all", true),
    ] {
        let (mut tx, mut rx) = conn.open_bi().await?;
        tx.write_all(&[SINK]).await?;
        let data = Bytes::from(vec![9u8; CHUNK]);
        let m = Meter::start();
        let until = Instant::now() + dur;
        while Instant::now() < until {
            if copy {
                tx.write_all(&data).await?;
            } else {
                tx.write_chunk(data.clone()).await?;
            }
        }
        tx.finish()?;
        let r = rx.read_to_end(8).await?;
        let n = u64::from_be_bytes(r[..].try_into()?);
        let (wall, cpu) = (m.wall(), m.cpu());
        line(
            &format!("{tag} {name}"),
            n as f64 / wall / 1e6,
            "MB/s",
            None,
            cpu,
            wall,
        );
    }
    // framed 100-byte messages batched into 64 KiB writes
    {
        let (mut tx, mut rx) = conn.open_bi().await?;
        tx.write_all(&[FRAMES]).await?;
        let m = Meter::start();
        let until = Instant::now() + dur;
        let mut seq = 0;
        while Instant::now() < until {
            tx.write_chunk(batch(&mut seq)).await?;
        }
        tx.finish()?;
        let r = rx.read_to_end(8).await?;
        let n = u64::from_be_bytes(r[..].try_into()?);
        assert_eq!(n, seq);
        let (wall, cpu) = (m.wall(), m.cpu());
        line(
            &format!("{tag} 100B msgs in 64KiB batches"),
            n as f64 / wall,
            "msg/s",
            None,
            cpu,
            wall,
        );
    }
    many(&format!("{tag} 100B echo, 1 stream, 1 in flight"), 1, |u| {
        rr_one(conn, u)
    })
    .await?;
    many(
        &format!("{tag} 100B echo, 64 streams, 1 in flight each"),
        64,
        |u| rr_one(conn, u),
    )
    .await?;
    many(
        &format!("{tag} 100B echo, new stream per request, 1 in flight"),
        1,
        |u| rr_new_stream(conn, u),
    )
    .await?;
    many(
        &format!("{tag} 100B echo, new stream per request, 64 in flight"),
        64,
        |u| rr_new_stream(conn, u),
    )
    .await?;
    println!("# {tag} path mtu {}", conn.stats().path.current_mtu);
    Ok(())
}

fn main() -> Result<()> {
    let crypto = std::env::var("CRYPTO").unwrap_or_else(|_| "ring".into());
    let tag = format!(
        "quic[{crypto},{}]",
        if jumbo() { "mtu6000" } else { "mtu1452" }
    );
    let ck = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
    let der = ck.cert.der().clone();
    let addr = server(der.clone(), ck.signing_key.serialize_der())?;
    rt().block_on(async move {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der)?;
        let tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut cc = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        cc.transport_config(transport());
        let sock = UdpSocket::bind("127.0.0.1:0")?;
        let ep =
            quinn::Endpoint::new(endpoint_config(), None, sock, Arc::new(quinn::TokioRuntime))?;
        let t = Instant::now();
        let conn = ep.connect_with(cc, addr, "localhost")?.await?;
        println!(
            "# {tag} handshake {:.0} us",
            t.elapsed().as_secs_f64() * 1e6
        );
        quic(&tag, &conn).await?;
        conn.close(0u32.into(), b"done");
        Ok(())
    })
}
