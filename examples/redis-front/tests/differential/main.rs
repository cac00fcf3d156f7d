//! Ours beside a real redis-server: the same requests, reply by reply, in both versions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod dice;
mod script;
#[path = "../support/mod.rs"]
mod support;

use support::{Frame, Ours, Real, Wire, encode};

/// Requests of each random run.
const REQUESTS: usize = 4000;

/// Both servers, with two connections each, so that one can get into the other's way.
struct Both {
    ours: [Wire; 2],
    real: [Wire; 2],
    sent: Vec<String>,
}

impl Both {
    fn connect(ours: &Ours, real: &Real, is_three: bool) -> Self {
        let connect = |address| {
            let wire = Wire::connect(address);
            if is_three { wire.three() } else { wire }
        };
        Self {
            ours: [(); 2].map(|()| connect(ours.address)),
            real: [(); 2].map(|()| connect(real.address)),
            sent: Vec::new(),
        }
    }

    /// Sends requests at once over one connection and compares their replies.
    fn compare(&mut self, connection: usize, requests: &[Vec<Vec<u8>>]) {
        let mut bytes = Vec::new();
        for request in requests {
            let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            bytes.extend(encode(&args));
        }
        self.ours[connection].raw(&bytes);
        self.real[connection].raw(&bytes);
        for request in requests {
            let words: Vec<_> = request
                .iter()
                .map(|arg| String::from_utf8_lossy(arg))
                .collect();
            self.sent.push(format!("{connection}> {}", words.join(" ")));
            let (ours, real) = (self.ours[connection].reply(), self.real[connection].reply());
            if !are_equal(&words[0].to_lowercase(), ours.clone(), real.clone()) {
                let before = self.sent.len().saturating_sub(40);
                let history = self.sent[before..].join("\n");
                panic!("{history}\n  ours: {ours:?}\n  real: {real:?}");
            }
        }
    }

    fn line(&mut self, connection: usize, line: &str) {
        let words = redis_front::inline::words(line.as_bytes()).unwrap();
        self.compare(connection, &[words]);
    }
}

fn are_equal(command: &str, ours: Frame, real: Frame) -> bool {
    match command {
        // Without order.
        "keys" | "smembers" => ours.sorted() == real.sorted(),
        // Read a moment apart.
        "ttl" | "pttl" => match (&ours, &real) {
            (Frame::Two(_), Frame::Two(_)) | (Frame::Three(_), Frame::Three(_))
                if !ours.text().starts_with(['E', 'W', '[', '(', 'Q']) =>
            {
                let slack = if command == "ttl" { 2 } else { 2000 };
                let (ours, real) = (ours.int(), real.int());
                (ours < 0 || real < 0) && ours == real || ours >= 0 && (ours - real).abs() <= slack
            }
            _ => ours == real,
        },
        "exec" => match (ours.parts(), real.parts()) {
            (Some(ours), Some(real)) if ours.len() == real.len() => {
                let mut pairs = ours.into_iter().zip(real);
                pairs.all(|(ours, real)| is_equal_inside(ours, real))
            }
            _ => ours == real,
        },
        _ => ours == real,
    }
}

/// Inside a transaction nobody says which reply is of which command: members have no order, and
/// numbers that can only be the milliseconds of this test's expiries are read a moment apart.
fn is_equal_inside(ours: Frame, real: Frame) -> bool {
    let left_ms = |frame: &Frame| frame.as_int().filter(|ms| (90_000..=200_000).contains(ms));
    match (left_ms(&ours), left_ms(&real)) {
        (Some(ours), Some(real)) => (ours - real).abs() <= 2000,
        _ => ours.sorted() == real.sorted(),
    }
}

fn servers() -> Option<(Ours, Real)> {
    let real = Real::start()?;
    Some((Ours::quick(), real))
}

#[test]
fn every_scripted_reply_is_that_of_redis() {
    let Some((ours, real)) = servers() else {
        return;
    };
    for is_three in [false, true] {
        let mut both = Both::connect(&ours, &real, is_three);
        for line in script::LINES.lines().map(str::trim) {
            match line.split_once("> ") {
                None => assert!(line.is_empty() || line.starts_with('#'), "{line}"),
                Some(("A", line)) => both.line(0, line),
                Some(("B", line)) => both.line(1, line),
                Some(_) => panic!("neither A nor B: {line}"),
            }
        }
    }
}

#[test]
fn every_random_reply_is_that_of_redis() {
    let Some((ours, real)) = servers() else {
        return;
    };
    for (seed, is_three) in [(1, false), (2, true), (3, false), (4, true)] {
        let mut both = Both::connect(&ours, &real, is_three);
        let mut dice = dice::Dice::new(seed);
        both.line(0, "FLUSHDB");
        let mut left = REQUESTS;
        while left > 0 {
            let count = dice.below(24) + 1;
            let connection = dice.below(2);
            let requests: Vec<_> = (0..count).map(|_| dice.request()).collect();
            both.compare(connection, &requests);
            left = left.saturating_sub(count);
        }
        for connection in [0, 1] {
            both.line(connection, "RESET");
        }
        println!(
            "seed {seed}, RESP{}: {REQUESTS} requests",
            if is_three { 3 } else { 2 }
        );
    }
}

#[test]
fn a_scan_finds_what_redis_finds() {
    let Some((ours, real)) = servers() else {
        return;
    };
    let mut all = Vec::new();
    for address in [ours.address, real.address] {
        let mut wire = Wire::connect(address);
        for i in 0..300 {
            wire.say(&format!("SET key:{i} {i}"));
        }
        wire.say("SADD a:set 1");
        let mut found = [Vec::new(), Vec::new()];
        for (found, options) in found.iter_mut().zip(["MATCH key:*7 COUNT 20", "TYPE set"]) {
            let mut cursor = "0".to_owned();
            loop {
                wire.send(&[]);
                let Frame::Two(redis_protocol::resp2::types::OwnedFrame::Array(parts)) =
                    wire.ask(&format!("SCAN {cursor} {options}"))
                else {
                    panic!("no array")
                };
                cursor = Frame::Two(parts[0].clone()).text();
                found.extend(Frame::Two(parts[1].clone()).items());
                if cursor == "0" {
                    break;
                }
            }
            found.sort();
        }
        all.push(found);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!((all[0][0].len(), all[0][1].len()), (30, 1));
}
