//! What a trace tells.

use std::fmt;

/// Microseconds of virtual time since a story began.
pub type Micros = u64;

/// Who is at an end of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The client.
    Client,
    /// A node, by its number.
    Node(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Node(node) => write!(f, "n{node}"),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Something went from one place to another.
    Sent {
        /// Where it began.
        from: Place,
        /// Where it went.
        to: Place,
        /// When it left.
        at: Micros,
        /// When it arrived; `None` when it was lost.
        arrives: Option<Micros>,
        /// What it was.
        what: String,
    },
    /// Something happened at one node.
    Local {
        /// Where.
        node: u64,
        /// When.
        at: Micros,
        /// What.
        what: String,
    },
}

impl Place {
    fn renumbered(self, by: u64) -> Self {
        match self {
            Self::Client => self,
            Self::Node(node) => Self::Node(node + by),
        }
    }
}

impl Happening {
    /// The same among more nodes, before whose numbers there are `by` others.
    pub(super) fn renumbered(&self, by: u64) -> Self {
        let mut told = self.clone();
        match &mut told {
            Self::Sent { from, to, .. } => {
                (*from, *to) = (from.renumbered(by), to.renumbered(by));
            }
            Self::Local { node, .. } => *node += by,
        }
        told
    }

    /// When it began.
    pub const fn at(&self) -> Micros {
        match self {
            Self::Sent { at, .. } | Self::Local { at, .. } => *at,
        }
    }
}

/// The first line of the trace: `  0.300 ms  client → n1  put x=1`.
impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at();
        write!(f, "{:>3}.{:03} ms  ", at / 1000, at % 1000)?;
        match self {
            Self::Local { node, what, .. } => write!(f, "n{node} {what}"),
            Self::Sent {
                from,
                to,
                arrives,
                what,
                ..
            } => {
                let fate = if arrives.is_none() { " (lost)" } else { "" };
                write!(f, "{from} → {to}  {what}{fate}")
            }
        }
    }
}
