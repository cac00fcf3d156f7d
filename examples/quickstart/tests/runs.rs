//! The program does what its README shows.

use std::process::Command;

#[test]
fn every_node_shows_the_value_that_a_follower_missed() -> std::io::Result<()> {
    let run = Command::new(env!("CARGO_BIN_EXE_quickstart")).output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    for node in 1..=3 {
        assert!(
            said.contains(&format!("node-{node} says apples=2")),
            "{said}"
        );
    }
    Ok(())
}
