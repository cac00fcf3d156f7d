//! Running the command, and clusters made of its processes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What a run of the command left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(f, "exit {}: {stdout}\n{}", self.code, self.stderr)
    }
}

impl Run {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output as a JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The same run, which must have gone well.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }
}

/// The command in a folder, without variables of the outside.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repertoire"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REPERTOIRE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the command to its end.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Run {
    finish(command(folder).args(args), b"")
}

/// Runs a prepared command with this on its standard input.
pub(crate) fn finish(command: &mut Command, stdin: &[u8]) -> Run {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // The command may end without reading all of it.
    let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Run {
        code,
        stdout: output.stdout,
        stderr,
    }
}

/// Three nodes, each a process of its own.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    nodes: Vec<Option<Child>>,
    /// Replicas of each node.
    groups: usize,
    /// Variables that nodes are started with.
    env: Vec<(String, PathBuf)>,
}

impl Shop {
    /// Certificates, configurations and formatted folders; nothing runs yet.
    pub(crate) fn prepare() -> Self {
        Self::prepare_with("", 0)
    }

    /// The same with more keyspaces, of so many replicas on each node.
    pub(crate) fn prepare_with(keyspaces: &str, replicas: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        run(at, &["cert", "ca", "--cluster", "shop"]).ok();
        run(at, &["cert", "node", "1", "2", "3", "--cluster", "shop"]).ok();
        run(at, &["cert", "client", "--cluster", "shop"]).ok();
        let ports = free_ports();
        for id in 1..=3 {
            std::fs::write(
                at.join(format!("node-{id}.toml")),
                config(id, &ports) + keyspaces,
            )
            .unwrap();
            run(at, &["format", "--config", &format!("node-{id}.toml")]).ok();
        }
        let nodes = (0..3).map(|_| None).collect();
        Self {
            folder,
            ports,
            nodes,
            groups: 7 + replicas,
            env: Vec::new(),
        }
    }

    /// Starts nodes with this variable from now on.
    pub(crate) fn set_env(&mut self, name: &str, value: &Path) {
        self.env.push((name.to_owned(), value.to_path_buf()));
    }

    /// A running cluster.
    pub(crate) fn open() -> Self {
        let mut shop = Self::prepare();
        shop.start_all();
        shop
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self, id: usize) -> String {
        format!("127.0.0.1:{}", self.ports[id - 1])
    }

    /// Starts every node and waits until each has a replica of everything.
    pub(crate) fn start_all(&mut self) {
        for id in 1..=3 {
            self.start(id);
        }
        self.until("every node serves every keyspace", |nodes| {
            let is_there = |node: &Value| {
                let groups = node["groups"].as_array();
                groups.is_some_and(|all| all.len() == self.groups)
            };
            nodes.iter().all(is_there)
        });
    }

    /// Starts a node and waits until it listens.
    pub(crate) fn start(&mut self, id: usize) {
        let config = format!("node-{id}.toml");
        let mut command = command(self.folder());
        command.args([
            "serve", "--config", &config, "--output", "json", "--log", "error",
        ]);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let told: Value = serde_json::from_str(&line).expect("it tells where it listens");
        assert_eq!(told["listening"], self.address(id));
        self.nodes[id - 1] = Some(child);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, id: usize) {
        let mut child = self.nodes[id - 1].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for a node that ends by itself.
    pub(crate) fn join(&mut self, id: usize) {
        self.nodes[id - 1].take().unwrap().wait().unwrap();
    }

    /// The numbers of the running processes.
    pub(crate) fn pids(&self) -> Vec<String> {
        self.nodes
            .iter()
            .flatten()
            .map(|child| child.id().to_string())
            .collect()
    }

    /// Asks a node to stop, as service managers do.
    pub(crate) fn terminate(&mut self, id: usize) -> ExitStatus {
        let mut child = self.nodes[id - 1].take().unwrap();
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        child.wait().unwrap()
    }

    /// The command as a client of this cluster.
    pub(crate) fn client(&self, args: &[&str]) -> Command {
        let addresses: Vec<String> = (1..=3).map(|id| self.address(id)).collect();
        let mut command = command(self.folder());
        command
            .env("REPERTOIRE_CONNECT", addresses.join(","))
            .args(args);
        command
    }

    /// Runs the command as a client of this cluster.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        finish(&mut self.client(args), b"")
    }

    /// Waits until what the nodes say of themselves is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) {
        let began = Instant::now();
        loop {
            let status = self.run(&["status", "--output", "json", "--deadline", "2s"]);
            if status.code == 0 && is_so(status.json()["nodes"].as_array().unwrap()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}: {status:?}");
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn free_ports() -> Vec<u16> {
    let sockets: Vec<_> = (0..3)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    sockets
        .iter()
        .map(|socket| socket.local_addr().unwrap().port())
        .collect()
}

fn config(id: usize, ports: &[u16]) -> String {
    let nodes = (1..)
        .zip(ports)
        .map(|(id, port)| format!("{id} = \"127.0.0.1:{port}\""));
    let nodes = nodes.collect::<Vec<_>>().join(", ");
    let port = ports[id - 1];
    format!(
        r#"
[node]
id = {id}
listen = "127.0.0.1:{port}"
data = "data/{id}"
[tls]
ca = "certs/ca.pem"
cert = "certs/node-{id}.pem"
key = "certs/node-{id}.key"
[cluster]
name = "shop"
nodes = {{ {nodes} }}
[keyspace.accounts]
acks = "majority"
[keyspace.carts]
shards = 4
[keyspace.orders.single-leader]
failover = "elect"
[log]
segment_bytes = 4194304
"#
    )
}
