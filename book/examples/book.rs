//! What the book shows, made: `book list`, `trace STORY`, `hunt BUG`, `figures`, `tables`, `demo`,
//! `first-cluster`, `grow`, `operate`.

#![allow(clippy::print_stdout, reason = "a command line: it prints")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use repertoire_book::{produced, session, stories};
use repertoire_core::sabotage::{Bug, plant};
use repertoire_sim::Hunt;

/// Seeds after which a hunt gives up.
const BUDGET: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(),
        ["trace", name] => trace(name)?,
        ["hunt", bug] => hunt(bug)?,
        ["produce"] => produce()?,
        ["demo"] => demo()?,
        ["first-cluster"] => print!("{}", session::first_cluster(&command()?)?),
        ["grow"] => println!("{}", session::masked_times(&session::grow(&command()?)?)),
        ["operate"] => println!("{}", session::masked_times(&session::operate(&command()?)?)),
        _ => {
            return Err(
                "say list, trace STORY, hunt BUG, produce, demo, first-cluster, grow or operate"
                    .into(),
            );
        }
    }
    Ok(())
}

fn list() {
    for story in &stories::STORIES {
        println!("{:16} {}", story.name, story.title);
    }
}

fn trace(name: &str) -> Result<(), Box<dyn Error>> {
    let story = stories::story(name).ok_or("no such story; see `list`")?;
    print!("{}", produced::trace(story, plant)?);
    Ok(())
}

/// Plants a bug in the product's code and runs seed after seed until an invariant notices.
fn hunt(name: &str) -> Result<(), Box<dyn Error>> {
    let bug = Bug::ALL
        .into_iter()
        .find(|bug| format!("{bug:?}") == name)
        .ok_or("no such bug; see repertoire_core::sabotage")?;
    let hunt = Hunt {
        steps: 10_000,
        ..Hunt::new(bug, 1, BUDGET)
    };
    let (tried, found) = hunt.run().ok_or("it escaped")?;
    println!("planted: {bug:?}");
    println!("seeds tried: {tried}");
    println!("broken: {}", found.invariant);
    println!("{}", found.detail);
    Ok(())
}

/// Figures and tables, written into `book/src`.
fn produce() -> Result<(), Box<dyn Error>> {
    for (file, text) in produced::all(plant)? {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(&file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        println!("wrote book/src/{file}");
    }
    Ok(())
}

fn demo() -> Result<(), Box<dyn Error>> {
    let output = Command::new(command()?)
        .arg("demo")
        .env("NO_COLOR", "1")
        .output()?;
    // What it tells people goes to standard error, the table that ends it to standard output.
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    if !output.status.success() {
        return Err(said.into_owned().into());
    }
    println!("{}", session::masked(said.trim()));
    Ok(())
}

/// The release build of the command, built if need be.
fn command() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(cargo);
    // Set for this program by the cargo that runs it; build scripts that watch them would run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    let built = build
        .current_dir(&root)
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "-p",
            "repertoire-cli",
        ])
        .status()?;
    if !built.success() {
        return Err("the command does not build".into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release").join("repertoire").canonicalize()?)
}
