//! Space-time diagrams of traces, as SVG.
//!
//! One column for each place, time downwards. Arrows are messages; a bar on a column is a burst of the
//! log, from its write until its `fdatasync` returned, or hollow when there was none. Lines and letters take the colour of the page's text,
//! so that a figure that is part of a page is readable on any background.

mod scale;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Happening, Micros, Place};
use scale::Scale;

/// Pixels between two columns.
const COLUMN: u64 = 190;
/// Pixels left of the first column, for the times.
const MARGIN: u64 = 90;
/// Pixels from the middle of a gap to the middle of a label.
const ASIDE: u64 = 22;
/// Pixels above the first event.
const HEAD: u64 = 56;

/// A diagram of what happened up to `until`. Its parts are named after `name`, so that a page may hold
/// several.
pub fn svg(name: &str, title: &str, happenings: &[Happening], until: Micros) -> String {
    let shown: Vec<&Happening> = happenings.iter().filter(|it| it.at() <= until).collect();
    let scale = Scale::of(&shown);
    let nodes = nodes_of(&shown);
    let width = MARGIN + COLUMN * nodes + 130;
    let height = scale.end() + 40;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"currentColor\" stroke=\"none\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(title));
    out.push_str(&MARKERS.replace("NAME", name));
    columns(&mut out, nodes, &shown, &scale);
    bars(&mut out, &shown, &scale);
    for happening in &shown {
        match happening {
            Happening::Sent { .. } => arrow(&mut out, name, happening, &scale),
            Happening::Local { node, at, what } => note(&mut out, *node, *at, what, &scale),
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The highest number of a node; a stage has three unless more are told of.
fn nodes_of(shown: &[&Happening]) -> u64 {
    let number = |place: &Place| match place {
        Place::Client => 0,
        Place::Node(node) => *node,
    };
    let highest = |happening: &&Happening| match happening {
        Happening::Sent { from, to, .. } => number(from).max(number(to)),
        Happening::Local { node, .. } => *node,
    };
    shown.iter().map(highest).fold(3, u64::max)
}

/// Arrow heads: of messages, and of what never arrives.
const MARKERS: &str = "<defs>\n\
<marker id=\"NAME-head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"currentColor\"/></marker>\n\
<marker id=\"NAME-lost\" viewBox=\"0 0 8 8\" refX=\"4\" refY=\"4\" markerWidth=\"10\" markerHeight=\"10\" \
orient=\"auto\"><path d=\"M0 0 L8 8 M8 0 L0 8\" stroke=\"#d0453b\" stroke-width=\"2\"/></marker>\n\
</defs>\n";

/// Letters stand out from the lines that they cross: the page's background around them.
const HALO: &str = "style=\"paint-order:stroke;stroke:var(--bg,#fff);stroke-width:3px\"";

fn x_of(place: Place) -> u64 {
    let index = match place {
        Place::Client => 0,
        Place::Node(node) => node,
    };
    MARGIN + COLUMN * index
}

/// The columns, broken where a node is down, and the times at their left.
fn columns(out: &mut String, nodes: u64, shown: &[&Happening], scale: &Scale) {
    let end = scale.end() + 10;
    for index in 0..=nodes {
        let place = if index == 0 {
            Place::Client
        } else {
            Place::Node(index)
        };
        let x = x_of(place);
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"20\" text-anchor=\"middle\" font-weight=\"bold\">{place}</text>"
        );
        let mut from = 28;
        let mut is_up = true;
        for (at, starts) in turns(shown, index) {
            let y = scale.y(at);
            life(out, x, from, y, is_up);
            (from, is_up) = (y, starts);
        }
        life(out, x, from, end, is_up);
    }
    for (at, y) in scale.labels() {
        let _ = writeln!(
            out,
            "<text x=\"4\" y=\"{}\" font-size=\"10\" opacity=\"0.6\">{}.{:01} ms</text>",
            y + 3,
            at / 1000,
            at % 1000 / 100
        );
    }
}

/// When a node goes down (`false`) and comes back (`true`).
fn turns(shown: &[&Happening], index: u64) -> Vec<(Micros, bool)> {
    let turn = |happening: &&Happening| match happening {
        Happening::Local { node, at, what } if *node == index => match what.as_str() {
            "starts" => Some((*at, true)),
            "is killed" | "loses power" => Some((*at, false)),
            _ => None,
        },
        _ => None,
    };
    shown.iter().filter_map(turn).collect()
}

fn life(out: &mut String, x: u64, from: u64, to: u64, is_up: bool) {
    let style = if is_up {
        "stroke-width=\"1.5\" opacity=\"0.8\""
    } else {
        "stroke-width=\"1.5\" stroke-dasharray=\"2 5\" opacity=\"0.5\""
    };
    let _ = writeln!(
        out,
        "<line x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{to}\" stroke=\"currentColor\" {style}/>"
    );
}

/// Bursts of the log: from the write to the end of the sync.
fn bars(out: &mut String, shown: &[&Happening], scale: &Scale) {
    let mut begun: BTreeMap<u64, Micros> = BTreeMap::new();
    for happening in shown {
        let Happening::Local { node, at, what } = happening else {
            continue;
        };
        if what.starts_with("writes ") {
            begun.insert(*node, *at);
        } else if let Some(from) = begun.remove(node) {
            let (y, x) = (scale.y(from), x_of(Place::Node(*node)) - 4);
            let height = scale.y(*at).saturating_sub(y).max(4);
            let fill = match what.as_str() {
                "fdatasync done" => "fill=\"currentColor\" opacity=\"0.75\"",
                _ => "fill=\"none\" stroke=\"#d0453b\" stroke-width=\"1.5\"",
            };
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{height}\" rx=\"2\" {fill}/>"
            );
        }
    }
}

fn arrow(out: &mut String, name: &str, happening: &Happening, scale: &Scale) {
    let Happening::Sent {
        from,
        to,
        at,
        arrives,
        what,
    } = happening
    else {
        return;
    };
    let (x1, x2, y1) = (x_of(*from), x_of(*to), scale.y(*at));
    let y2 = arrives.map_or(y1 + 12, |arrives| scale.y(arrives));
    let (end, marker, style) = match arrives {
        Some(_) => (x2, "head", "stroke=\"currentColor\""),
        None => (
            x1.midpoint(x2),
            "lost",
            "stroke=\"#d0453b\" stroke-dasharray=\"5 4\"",
        ),
    };
    let _ = writeln!(
        out,
        "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{end}\" y2=\"{y2}\" stroke-width=\"1.3\" \
         marker-end=\"url(#{name}-{marker})\" {style}/>"
    );
    let (x, y, anchor) = if arrives.is_none() {
        (end + 9, y2 + 4, "start")
    } else {
        let (x, y) = label_place((x1, y1), (x2, y2), *from.max(to));
        (x, y, "middle")
    };
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"11\" {HALO}>{}</text>",
        escaped(what)
    );
}

/// Above the line, in the gap beside its outer end, where no other line of the same moment passes; a
/// little nearer to its end, so that labels of lines that cross are apart.
fn label_place((x1, y1): (u64, u64), (x2, y2): (u64, u64), outer: Place) -> (u64, u64) {
    let inner = x1.min(x2);
    let x = if inner == MARGIN {
        MARGIN + COLUMN / 2
    } else {
        x_of(outer) - COLUMN / 2
    };
    let x = if x1 < x2 { x + ASIDE } else { x - ASIDE };
    let (left, right) = if x1 < x2 { (y1, y2) } else { (y2, y1) };
    let span = x1.abs_diff(x2).max(1);
    let down = right.saturating_sub(left) * (x - inner) / span;
    let up = left.saturating_sub(right) * (x - inner) / span;
    (x, (left + down).saturating_sub(up + 5))
}

/// What happened at a node, beside its column.
fn note(out: &mut String, node: u64, at: Micros, what: &str, scale: &Scale) {
    // The bars tell of these.
    if what.starts_with("writes ") || ["fdatasync done", "written, not synced"].contains(&what) {
        return;
    }
    let (x, y) = (x_of(Place::Node(node)), scale.y(at));
    let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>");
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"11\" font-style=\"italic\" {HALO}>{}</text>",
        x + 8,
        y + 4,
        escaped(what)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
