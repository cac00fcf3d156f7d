//! Everything of the book that is made from code and always comes out the same: figures, traces and
//! tables. A test compares the files with this.

mod errors;

use std::fmt::Write as _;

use repertoire_core::Error;

use crate::stories::{Plant, STORIES, Story};
use repertoire_stage::draw;

/// Figures: the story and up to when it is drawn, in microseconds.
const FIGURES: [(&str, u64); 12] = [
    ("leader-based", 60_000),
    ("sync-and-async", 60_000),
    ("sync-skipped", 2_400),
    ("async-loses", 60_000),
    ("semi-sync-waits", 60_000),
    ("prefix", 6_600),
    ("fenced", 11_000),
    ("catch-up", 60_000),
    ("snapshot", 60_000),
    ("own-write", 60_000),
    ("going-back", 60_000),
    ("answer-first", 10_000),
];

/// Files below `book/src` with their contents.
///
/// # Errors
/// Those of the replicas that play the stories.
pub fn all(plant: Plant) -> Result<Vec<(String, String)>, Error> {
    let mut files = vec![("produced/errors.md.inc".to_owned(), errors::page())];
    for story in &STORIES {
        let found = FIGURES.iter().find(|(name, _)| *name == story.name);
        if let Some((name, until)) = found {
            let played = story.play(plant)?;
            let svg = draw::svg(name, story.title, played.stage.happenings(), *until);
            files.push((format!("figures/{name}.svg"), svg));
        }
    }
    Ok(files)
}

/// The trace of a story and what is to be seen in it.
///
/// # Errors
/// Those of the replicas.
pub fn trace(story: &Story, plant: Plant) -> Result<String, Error> {
    let played = story.play(plant)?;
    let mut text = format!("{}\n\n", story.title);
    for happening in played.stage.happenings() {
        let _ = writeln!(text, "{happening}");
    }
    text.push('\n');
    for line in played.seen {
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}
