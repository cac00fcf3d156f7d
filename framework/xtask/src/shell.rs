//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{During, Failure, Result};
use crate::output;

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// Exit code; `None` when a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// A command without the variables that cargo sets for the program it runs, which is this one. Build scripts watch
/// some of them (that of `ring` does), and would be run again, with all that depends on them, whenever cargo is
/// called from here and by hand in turn.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            command.env_remove(&*name);
        }
    }
    command
}

/// Prints and runs a command in `dir` with inherited output and no input.
///
/// # Errors
/// When the program cannot be started or does not exit with 0.
pub fn run(dir: &Path, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let shown = show(program, args, env);
    output::line(format_args!("$ {shown}"));
    let status = command(program)
        .args(args)
        .envs(env.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::null())
        .status()
        .during(format_args!("cannot start `{shown}`"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{shown}` failed: {status}")))
    }
}

/// Runs a command in `dir` with no input and returns what it printed, whatever its exit code.
///
/// # Errors
/// When the program cannot be started.
pub fn capture(dir: &Path, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Captured> {
    let out = command(program)
        .args(args)
        .envs(env.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .during(format_args!("cannot start `{}`", show(program, args, env)))?;
    Ok(Captured {
        code: out.status.code(),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    })
}

/// Whether outside programs must be present: tests and chores then fail instead of skipping.
pub fn tools_required() -> bool {
    std::env::var("REPERTOIRE_REQUIRE_TOOLS").is_ok_and(|value| value == "1")
}

/// The workspace root: the nearest folder above the current one whose `Cargo.toml` has a `[workspace]` with members.
///
/// # Errors
/// When the current folder is not inside the workspace.
pub fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().during("cannot read the current folder")?;
    here.ancestors()
        .find(|dir| {
            std::fs::read_to_string(dir.join("Cargo.toml"))
                .is_ok_and(|text| text.contains("[workspace]") && text.contains("members"))
        })
        .map(Path::to_path_buf)
        .ok_or_else(|| Failure::new("run this inside the repertoire workspace"))
}

fn show(program: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let name = Path::new(program)
        .file_name()
        .map_or(program.into(), |n| n.to_string_lossy());
    let mut words: Vec<String> = env
        .iter()
        .map(|(key, value)| format!("{key}='{value}'"))
        .collect();
    words.push(name.into_owned());
    words.extend(args.iter().map(|arg| (*arg).to_owned()));
    words.join(" ")
}
