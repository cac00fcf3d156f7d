//! Sessions at a terminal, typed by a program: the commands run for real, in a folder of their own.
//!
//! What they print is written down with `ANCHOR` lines around each part, so that a page can show one
//! part after the other.

mod grow;
mod mask;
mod operate;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

pub use grow::grow;
pub use mask::{masked, masked_times};
pub use operate::operate;
use serde_json::Value;

/// The configuration of node 1; those of the others differ in the number.
const CONFIG: &str = include_str!("../listings/node-1.toml");
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal in a temporary folder.
#[derive(Debug)]
pub struct Session {
    program: PathBuf,
    folder: tempfile::TempDir,
    nodes: BTreeMap<u64, Running>,
    /// Where clients begin, when that was exported.
    connect: Option<String>,
    text: String,
}

/// A node in the background.
#[derive(Debug)]
struct Running {
    child: Child,
    told: Option<BufReader<ChildStderr>>,
}

impl Session {
    /// A session with the program at this path.
    ///
    /// # Errors
    /// When there is no temporary folder.
    pub fn new(program: &Path) -> Result<Self> {
        Ok(Self {
            program: program.to_owned(),
            folder: tempfile::tempdir()?,
            nodes: BTreeMap::new(),
            connect: None,
            text: String::new(),
        })
    }

    /// Writes `play`'s commands and what they print down as the part `name`.
    ///
    /// # Errors
    /// Those of `play`.
    pub fn part(&mut self, name: &str, play: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let _ = writeln!(self.text, "# ANCHOR: {name}");
        play(self)?;
        let _ = writeln!(self.text, "# ANCHOR_END: {name}");
        Ok(())
    }

    /// Everything written down.
    pub fn into_text(self) -> String {
        self.text.clone()
    }

    /// Runs `repertoire` with these words, which must end with this exit code.
    ///
    /// # Errors
    /// When it cannot be run, or ends otherwise.
    pub fn run(&mut self, words: &str, code: i32) -> Result<()> {
        let output = self.command(words).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if output.status.code() != Some(code) {
            return Err(Error::other(format!(
                "`repertoire {words}` ended with {:?}, not {code}:\n{said}",
                output.status.code()
            )));
        }
        let _ = writeln!(self.text, "$ repertoire {words}");
        for line in said.lines() {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        if code != 0 {
            let _ = writeln!(self.text, "$ echo $?\n{code}");
        }
        Ok(())
    }

    /// Makes the certificates: the part `certs`.
    ///
    /// # Errors
    /// Those of the command.
    pub fn certify(&mut self, nodes: &str) -> Result<()> {
        self.part("certs", |at| {
            at.run("cert ca --cluster shop", 0)?;
            at.run(&format!("cert node {nodes} --cluster shop"), 0)?;
            at.run("cert client --cluster shop", 0)
        })
    }

    /// Writes the configuration of a node.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, node: u64) -> Result<()> {
        let text = CONFIG
            .replace("id = 1", &format!("id = {node}"))
            .replace("data/1", &format!("data/{node}"))
            .replace("node-1", &format!("node-{node}"));
        std::fs::write(self.folder.path().join(format!("node-{node}.toml")), text)
    }

    /// Starts a node in the background and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn serve(&mut self, node: u64) -> Result<()> {
        let words = format!("serve --config node-{node}.toml --log error");
        let mut command = self.command(&words);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        // It tells people where it listens on standard error, which stays open while it runs.
        let mut told = child.stderr.take().map(BufReader::new);
        // What is logged meanwhile is passed over.
        let mut line = String::new();
        if let Some(told) = &mut told {
            while !line.contains("listens at") && !line.starts_with("error:") {
                line.clear();
                if told.read_line(&mut line)? == 0 {
                    break;
                }
            }
        }
        self.nodes.insert(node, Running { child, told });
        let _ = write!(self.text, "$ repertoire {words} &\n{line}");
        if line.contains("listens at") {
            Ok(())
        } else {
            Err(Error::other(format!("node {node} does not listen: {line}")))
        }
    }

    /// Asks a node to stop, as Ctrl-C does, and waits until it has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn stop(&mut self, node: u64) -> Result<()> {
        if let Some(mut running) = self.nodes.remove(&node) {
            let pid = running.child.id().to_string();
            Command::new("kill").args(["-TERM", &pid]).status()?;
            running.child.wait()?;
            let _ = writeln!(self.text, "$ kill %{node}");
        }
        Ok(())
    }

    /// Waits until the nodes' status, one value each, is as wanted. Writes nothing down.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let mut command = self.command("status --output json --deadline 2s");
            let output = command.output()?;
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let nodes = status.get("nodes").and_then(Value::as_array);
            if nodes.is_some_and(|nodes| is_so(nodes)) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(Error::other(format!("never: {what}: {status}")));
            }
        }
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REPERTOIRE_") {
                command.env_remove(name);
            }
        }
        if let Some(connect) = &self.connect {
            command.env("REPERTOIRE_CONNECT", connect);
        }
        command.env("NO_COLOR", "1").args(words.split_whitespace());
        command
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for running in self.nodes.values_mut() {
            let _is_gone = running.child.kill();
            let _status = running.child.wait();
        }
    }
}

/// The chapter "first cluster": three processes, a stop and a start.
///
/// # Errors
/// When a command does not end as the chapter says.
pub fn first_cluster(program: &Path) -> Result<String> {
    let mut session = Session::new(program)?;
    session.certify("1 2 3")?;
    (1..=3).try_for_each(|node| session.configure(node))?;
    session.part("format", |at| {
        (1..=3).try_for_each(|node| at.run(&format!("format --config node-{node}.toml"), 0))
    })?;
    session.part("serve", |at| (1..=3).try_for_each(|node| at.serve(node)))?;
    session.until("every node serves", |nodes| {
        nodes.len() == 3 && nodes.iter().all(|node| groups(node) == 2)
    })?;
    session.part("put", |at| {
        at.run("put --keyspace accounts alice 10", 0)?;
        at.run("scan --keyspace accounts", 0)?;
        at.run("get --keyspace accounts bob", 5)
    })?;
    session.until("every node has it", |nodes| have_applied(nodes, 2))?;
    session.part("follower", |at| {
        at.run("scan --keyspace accounts --level local --node 3", 0)?;
        at.run("status", 0)
    })?;
    session.part("stop", |at| {
        at.stop(3)?;
        at.run("put --keyspace accounts bob 20", 0)?;
        at.run(
            "put --keyspace accounts carol 5 --acks sync --deadline 1s",
            3,
        )?;
        at.run("scan --keyspace accounts", 0)
    })?;
    session.part("start", |at| at.serve(3))?;
    session.until("node 3 is back", |nodes| have_applied(nodes, 4))?;
    session.part("back", |at| {
        at.run("scan --keyspace accounts --level local --node 3", 0)?;
        at.run("status", 0)
    })?;
    session.part("end", |at| (1..=3).try_for_each(|node| at.stop(node)))?;
    Ok(session.into_text())
}

fn groups(node: &Value) -> usize {
    let groups = node.get("groups").and_then(Value::as_array);
    groups.map_or(0, Vec::len)
}

/// Whether all three nodes have applied the keyspace `accounts` up to here.
fn have_applied(nodes: &[Value], lsn: u64) -> bool {
    nodes.len() == 3 && nodes.iter().all(|node| applied(node) >= lsn)
}

/// What a node has applied of the keyspace `accounts`.
fn applied(node: &Value) -> u64 {
    let groups = node.get("groups");
    let groups = groups.and_then(Value::as_array).into_iter().flatten();
    let of = |group: &Value| {
        let is_accounts = group.get("keyspace")?.as_str() == Some("accounts");
        let applied = group.get("applied_lsn")?.as_u64()?;
        is_accounts.then_some(applied)
    };
    groups.filter_map(of).max().unwrap_or(0)
}
