//! Figures, tables and traces are what their commands make of today's code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says why"
)]

use std::path::Path;

use repertoire_book::{produced, stories};
use repertoire_core::sabotage::plant;

const PRODUCE: &str = "cargo run -p repertoire-book --example book -- produce";

fn on_disk(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    std::fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn figures_and_tables_are_up_to_date() {
    let files = produced::all(plant).unwrap();
    assert!(files.len() > 5);
    for (file, text) in files {
        assert!(
            on_disk(&file) == text,
            "book/src/{file} is stale: run `{PRODUCE}`"
        );
    }
}

#[test]
fn traces_are_up_to_date() {
    let mut compared = 0;
    for story in &stories::STORIES {
        let file = format!("outputs/trace-{}.txt", story.name);
        let shown = on_disk(&file);
        if shown.is_empty() {
            continue;
        }
        let (_prompt, shown) = shown.split_once('\n').expect("a prompt and a trace");
        let trace = produced::trace(story, plant).unwrap();
        assert!(
            shown.trim_end() == trace.trim_end(),
            "book/src/{file} is stale: run `cargo xtask book --only trace-{}`",
            story.name
        );
        compared += 1;
    }
    assert!(compared > 5, "only {compared} traces are shown");
}

#[test]
fn a_story_is_the_same_each_time() {
    for story in &stories::STORIES {
        let traces = [(); 2].map(|()| produced::trace(story, plant).unwrap());
        assert_eq!(traces[0], traces[1], "{}", story.name);
    }
}

/// What the chapters say of the stories.
#[test]
fn stories_end_as_the_chapters_say() {
    let seen = |name: &str| stories::story(name).unwrap().play(plant).unwrap().seen;
    let ends = |name: &str, line: &str| {
        let seen = seen(name);
        assert!(seen.iter().any(|it| it == line), "{name}: {seen:#?}");
    };
    ends("leader-based", "the reader, at n3: new.jpg");
    ends("power-cut", "after it: 42");
    ends("sync-skipped", "after it: (no value)");
    ends("power-cut-os", "before the power cut: ok: 2@1, 2 copies");
    ends("power-cut-os", "after it: (no value)");
    ends("async-loses", "the writer: ok: 2@1, 1 copy");
    ends("async-loses", "a reader, at the new leader: (no value)");
    ends("semi-sync-waits", "the writer: (nothing yet)");
    ends("prefix", "the weak write after 3 ms: (nothing yet)");
    ends("retry", "x is: 2");
    ends(
        "fenced",
        "the write at the old leader: unknown: this node is not the leader",
    );
    ends("fenced", "x at the old leader, still cut off: (no value)");
    ends("fenced", "x at the new leader: new");
    ends(
        "catch-up",
        "n3 follows in epoch 1, last 4@1, durable 4, applied 4",
    );
    ends(
        "snapshot",
        "n3 follows in epoch 1, last 3@1, durable 3, applied 3",
    );
    ends("dedup-travels", "x is: 2");
    ends("dedup-forgotten", "x is: 1");
    ends("elected", "the write: ok: 2@1, 2 copies");
    ends("elected", "x is: 1");
    ends("older-log-elected", "the write: ok: 2@1, 2 copies");
    ends("older-log-elected", "x is: (no value)");
    ends("own-write", "the same user, at n3: (no value)");
    ends("own-write", "with the position of the write: Sounds good!");
    ends("going-back", "then, at n3: (no value)");
    ends(
        "going-back",
        "with the position of the first answer: 1 result",
    );
    ends("answer-first", "the observer hears the answer: ten seconds");
    ends("answer-first", "and the question: (no value)");
    ends("answer-first", "with what Mrs. Cake had seen: how far?");
}
