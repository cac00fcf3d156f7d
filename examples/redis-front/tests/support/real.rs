//! Outside programs.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::Wire;

/// Whether a missing program is a failure.
pub(crate) fn is_required() -> bool {
    std::env::var("REPERTOIRE_REQUIRE_TOOLS").is_ok_and(|value| value == "1")
}

/// Whether a program runs; says that the test is skipped when it does not.
pub(crate) fn has(program: &str, args: &[&str], what: &str) -> bool {
    let run = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = run.is_ok_and(|status| status.success());
    assert!(is_there || !is_required(), "{what} is required and missing");
    if !is_there {
        eprintln!("skipped: {what} is not there");
    }
    is_there
}

/// The Python that knows redis-py.
pub(crate) fn python() -> bool {
    has("python3", &["-c", "import redis"], "python3 with redis-py")
}

/// A real redis-server; ends with this value.
pub(crate) struct Real {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Real {
    /// Starts one in memory; nothing when it is not installed.
    pub(crate) fn start() -> Option<Self> {
        if !has("redis-server", &["--version"], "redis-server") {
            return None;
        }
        let port = super::free_port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--databases", "2"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let real = Self { process, address };
        super::until("redis-server", || Wire::try_connect(address).is_some());
        Some(real)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _is_gone = self.process.kill();
        let _is_gone = self.process.wait();
    }
}
