//! Unknown keys: what was probably meant.

use crate::fields::fields;
use crate::kind::Complaint;
use crate::nearest::nearest;
use crate::show;

/// Longest list of known keys in a message.
const LIST_MAX: usize = 20;

/// An unknown key `name` in `section` (empty at the top), whose known keys are `known`.
pub(super) fn key<'a>(
    section: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Complaint {
    if let Some(near) = nearest(name, known.clone()) {
        return Complaint::new(
            format!("unknown key; the nearest known key is `{near}`"),
            format!("write `{near}`, or remove the line"),
        );
    }
    // A good key in a wrong place.
    let elsewhere = fields().iter().find(|field| field.name() == name);
    if let Some(field) = elsewhere {
        return Complaint::new(
            format!("unknown key here; there is `{}`", field.key),
            format!("move it to [{}]", parent(field.key)),
        );
    }
    let all: Vec<&str> = known.take(LIST_MAX).collect();
    let place = if section.is_empty() {
        "sections are".to_owned()
    } else {
        format!("[{}] takes", show::key_path(section))
    };
    Complaint::new(
        "unknown key",
        format!("remove the line; {place} {}", all.join(", ")),
    )
}

fn parent(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(parent, _)| parent)
}
