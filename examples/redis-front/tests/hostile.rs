//! Clients that mean harm, or cannot do better.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod support;

use support::{Ours, Wire, encode};

#[test]
fn a_broken_stream_is_told_why_and_closed() {
    let ours = Ours::quick();
    let deep = b"*1\r\n".repeat(100_000);
    let long_line = vec![b'x'; 100_000];
    let cases: [(&[u8], &str); 9] = [
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*2000000000\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n$536870912\r\n", "invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'"),
        (b"SET \"a\r\n", "unbalanced quotes in request"),
        (&deep, "expected '$', got '*'"),
        (&long_line, "too big inline request"),
    ];
    for (bytes, expected) in cases {
        let mut wire = ours.connect();
        wire.try_raw(bytes);
        // A system that has more to read than was read may reset the connection instead.
        if let Some(reply) = wire.try_reply() {
            assert_eq!(reply.text(), format!("ERR Protocol error: {expected}"));
            assert!(wire.try_reply().is_none(), "it hangs up");
        }
        assert_eq!(ours.connect().say("PING"), "PONG");
    }
}

#[test]
fn requests_that_are_wrong_cost_an_error_and_nothing_else() {
    let ours = Ours::quick();
    let mut wire = ours.connect();
    let long = vec![b'k'; 5000];
    let big = vec![b'v'; 600 * 1024];
    let chunk = vec![b'v'; 400 * 1024];
    wire.send(&[b"SET", &long, b"v"]);
    assert_eq!(
        wire.reply().text(),
        "ERR key of 5000 bytes exceeds the maximum of 4096 bytes"
    );
    wire.send(&[b"GET", &long]);
    assert!(wire.reply().text().starts_with("ERR key of"));
    wire.send(&[b"INCR", &long]);
    assert!(wire.reply().text().starts_with("ERR key of"));
    wire.send(&[b"SET", b"k", &big]);
    assert!(
        wire.reply()
            .text()
            .starts_with("ERR value of 614400 bytes exceeds")
    );
    wire.send(&[b"SET", b"k", &chunk]);
    assert_eq!(wire.reply().text(), "OK");
    wire.send(&[b"APPEND", b"k", &chunk]);
    assert!(
        wire.reply()
            .text()
            .starts_with("ERR value of 819200 bytes exceeds")
    );
    wire.send(&[b"SET", b"k", &chunk, b"GET"]);
    assert!(
        wire.reply()
            .text()
            .starts_with("ERR the command would write and return")
    );
    wire.send(&[b"MSET", b"a", &chunk, b"b", &chunk, b"c", &chunk]);
    assert!(wire.reply().text().starts_with("ERR request of"));
    assert_eq!(wire.say("STRLEN k"), "409600");
    wire.say("MULTI");
    for expected in ["QUEUED", "QUEUED", "ERR transaction exceeds"] {
        wire.send(&[b"SET", b"k", &chunk]);
        assert!(wire.reply().text().starts_with(expected));
    }
    assert!(wire.say("EXEC").starts_with("EXECABORT"));
    let many: Vec<&[u8]> = std::iter::once(&b"DEL"[..])
        .chain(std::iter::repeat_n(&b"x"[..], 50_000))
        .collect();
    wire.send(&many);
    assert_eq!(wire.reply().text(), "0");
    assert_eq!(wire.say("PING"), "PONG");
}

#[test]
fn a_request_that_trickles_in_and_one_that_never_ends_harm_nobody() {
    let ours = Ours::quick();
    let mut wire = ours.connect();
    for byte in encode(&[b"SET", b"k", b"\x00\xff"]) {
        wire.raw(&[byte]);
    }
    assert_eq!(wire.reply().text(), "OK");
    let mut cut = ours.connect();
    cut.raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nabc");
    drop(cut);
    assert_eq!(wire.say("STRLEN k"), "2");
}

/// Bytes of memory that this process, and so the server in it, occupies.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_client_that_never_reads_costs_bounded_memory() {
    let ours = Ours::quick();
    let mut wire = ours.connect();
    wire.send(&[b"SET", b"k", &vec![b'v'; 400 * 1024]]);
    assert_eq!(wire.reply().text(), "OK");
    let before = resident();
    // Replies of 2 GB; the writer ends when the server stops reading, or has read everything.
    let greedy = std::net::TcpStream::connect(ours.address).unwrap();
    greedy
        .set_write_timeout(Some(std::time::Duration::from_secs(1)))
        .unwrap();
    let request = encode(&[b"GET", b"k"]).repeat(5000);
    let _is_full = std::io::Write::write_all(&mut &greedy, &request);
    for _ in 0..50 {
        assert_eq!(wire.say("STRLEN k"), "409600");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes for one client");
    drop(greedy);
    let mut last = Wire::connect(ours.address);
    assert_eq!(last.say("PING"), "PONG");
}
