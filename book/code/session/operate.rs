//! The chapter "operating a cluster": maintenance, a crash, and a lost disk.

use std::fmt::Write as _;
use std::io::{BufRead, Error, Result};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Session, groups};

impl Session {
    /// Writes the configuration of a node whose keyspace elects its leaders.
    fn configure_electing(&self, node: u64) -> Result<()> {
        self.configure(node)?;
        let file = self.folder.path().join(format!("node-{node}.toml"));
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(file, text + "single-leader = { failover = \"elect\" }\n")
    }

    /// Any node may be gone: clients know of all of them.
    fn know_all(&mut self) {
        let all = "127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403";
        let _ = writeln!(self.text, "$ export REPERTOIRE_CONNECT={all}");
        self.connect = Some(all.to_owned());
    }

    /// `kill -9`.
    fn kill(&mut self, node: u64) -> Result<()> {
        if let Some(mut running) = self.nodes.remove(&node) {
            running.child.kill()?;
            running.child.wait()?;
        }
        let _ = writeln!(self.text, "$ kill -9 %{node}");
        Ok(())
    }

    /// A command of the system.
    fn shell(&mut self, words: &str) -> Result<()> {
        let mut parts = words.split(' ');
        let program = parts.next().unwrap_or_default();
        let folder = self.folder.path();
        let status = Command::new(program)
            .args(parts)
            .current_dir(folder)
            .status()?;
        let _ = writeln!(self.text, "$ {words}");
        let failed = || Error::other(format!("{words} failed"));
        status.success().then_some(()).ok_or_else(failed)
    }

    /// A node that begins to serve, and ends by itself with an error.
    fn serve_in_vain(&mut self, node: u64) -> Result<()> {
        self.serve(node)?;
        let Some(mut running) = self.nodes.remove(&node) else {
            return Ok(());
        };
        let lines = running.told.take().into_iter().flat_map(BufRead::lines);
        let errors = lines.map_while(Result::ok);
        for line in errors.filter(|line| line.starts_with("error:")) {
            let _ = writeln!(self.text, "{line}");
        }
        let status = running.child.wait()?;
        if status.success() {
            return Err(Error::other(format!("node {node} should have failed")));
        }
        Ok(())
    }

    fn all_serve(&mut self) -> Result<()> {
        self.until("every node serves", |nodes| {
            nodes.len() == 3 && nodes.iter().all(|node| groups(node) == 2)
        })
    }
}

/// Three processes: one is stopped for a while, one is killed and loses its disk.
///
/// # Errors
/// When a command does not end as the chapter says.
pub fn operate(program: &Path) -> Result<String> {
    let mut session = Session::new(program)?;
    session.certify("1 2 3")?;
    (1..=3).try_for_each(|node| session.configure_electing(node))?;
    session.part("found", |at| {
        (1..=3).try_for_each(|node| at.run(&format!("format --config node-{node}.toml"), 0))?;
        (1..=3).try_for_each(|node| at.serve(node))
    })?;
    session.all_serve()?;
    session.part("write", |at| {
        at.know_all();
        at.run("put --keyspace accounts alice 10", 0)
    })?;
    session.part("copy", |at| {
        at.stop(3)?;
        at.shell("cp -r data/3 yesterday")?;
        at.serve(3)?;
        at.run("put --keyspace accounts bob 20 --acks sync", 0)
    })?;
    session.part("restore", |at| {
        at.stop(3)?;
        at.shell("rm -r data/3")?;
        at.shell("cp -r yesterday data/3")?;
        at.serve_in_vain(3)
    })?;
    session.part("again", |at| at.serve(3))?;
    session.until("node 3 counts again", |nodes| {
        let replicas = nodes
            .iter()
            .filter_map(|node| node.get("groups")?.as_array());
        let forgets = |group: &Value| {
            let is_amnesiac = group.pointer("/details/is_amnesiac");
            is_amnesiac.is_some_and(|it| *it != 0)
        };
        nodes.iter().all(|node| groups(node) == 2) && !replicas.flatten().any(forgets)
    })?;
    session.part("counts", |at| at.run("status", 0))?;
    session.part("maintain", |at| {
        at.run("transfer accounts --to 2", 0)?;
        at.run("transfer catalogue --to 2", 0)?;
        at.stop(1)?;
        at.run("put --keyspace accounts carol 5", 0)?;
        at.serve(1)
    })?;
    session.all_serve()?;
    session.part("crash", |at| {
        at.kill(2)?;
        at.run("put --keyspace accounts dave 7", 0)?;
        at.run("discarded accounts list", 0)
    })?;
    session.part("disk", |at| {
        at.shell("rm -r data/2")?;
        at.run("member decommission 2", 0)?;
        at.run("format --config node-2.toml", 0)?;
        at.serve(2)?;
        at.run("member add 2 --address 127.0.0.1:7402", 0)?;
        at.run("put --keyspace accounts erin 8 --acks sync", 0)
    })?;
    session.part("end", |at| (1..=3).try_for_each(|node| at.stop(node)))?;
    Ok(session.into_text())
}
