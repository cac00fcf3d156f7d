//! The chapter "changing who replicates": a node dies, another takes its place.

use std::io::Result;
use std::path::Path;

use super::{Session, groups};

impl Session {
    /// Writes the configuration of a node that the cluster was not founded with.
    fn configure_joining(&self, node: u64) -> Result<()> {
        self.configure(node)?;
        let file = self.folder.path().join(format!("node-{node}.toml"));
        let text = std::fs::read_to_string(&file)?;
        let id = format!("id = {node}\n");
        let joins = format!("{id}listen = \"127.0.0.1:740{node}\"\njoins = true\n");
        std::fs::write(file, text.replace(&id, &joins))
    }
}

/// Four processes: the third one dies, the fourth takes its place.
///
/// # Errors
/// When a command does not end as the chapter says.
pub fn grow(program: &Path) -> Result<String> {
    let mut session = Session::new(program)?;
    session.certify("1 2 3 4")?;
    (1..=3).try_for_each(|node| session.configure(node))?;
    session.configure_joining(4)?;
    session.part("found", |at| {
        (1..=3).try_for_each(|node| at.run(&format!("format --config node-{node}.toml"), 0))?;
        (1..=3).try_for_each(|node| at.serve(node))
    })?;
    session.until("every node serves", |nodes| {
        nodes.len() == 3 && nodes.iter().all(|node| groups(node) == 2)
    })?;
    session.part("die", |at| {
        at.run("put --keyspace accounts alice 10", 0)?;
        at.stop(3)
    })?;
    session.part("join", |at| {
        at.run("format --config node-4.toml", 0)?;
        at.serve(4)?;
        at.run("member replace 3 --by 4 --address 127.0.0.1:7404", 0)
    })?;
    session.part("after", |at| {
        at.run("member list", 0)?;
        at.run("get --keyspace accounts alice --level local --node 4", 0)
    })?;
    session.part("end", |at| {
        [1, 2, 4].into_iter().try_for_each(|node| at.stop(node))
    })?;
    Ok(session.into_text())
}
