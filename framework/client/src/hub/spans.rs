//! Which requests the numbers of a connection stand for.

use std::collections::VecDeque;

use repertoire_core::GroupId;

use crate::reads::ReadId;

/// Consecutive requests of a connection, sent together.
#[derive(Debug)]
struct Span {
    first: u64,
    count: u64,
    left: u64,
    what: What,
}

/// What they are.
#[derive(Debug)]
pub(crate) enum What {
    /// Writes of a session, consecutive from a number on.
    Writes {
        group: GroupId,
        session: u64,
        first_seq: u64,
    },
    /// Reads, by their names.
    Reads(Vec<ReadId>),
}

/// Requests that were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Writes `seq ..` of a session.
    Writes {
        group: GroupId,
        session: u64,
        seq: u64,
    },
    /// A read.
    Read(ReadId),
}

/// The requests of one connection that were not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    spans: VecDeque<Span>,
}

impl Spans {
    /// Notes requests; their numbers continue those of the last call.
    pub(crate) fn push(&mut self, first: u64, count: u64, what: What) {
        self.spans.push_back(Span {
            first,
            count,
            left: count,
            what,
        });
    }

    /// Requests `request ..` were answered, at most `count` of them: returns where they came from,
    /// and how many of them come from there in a row.
    pub(crate) fn answered(&mut self, request: u64, count: u64) -> Option<(Origin, u64)> {
        let after = self.spans.partition_point(|span| span.first <= request);
        let span = self.spans.get_mut(after.checked_sub(1)?)?;
        let offset = request - span.first;
        if offset >= span.count {
            return None;
        }
        let (origin, run) = match &span.what {
            What::Writes {
                group,
                session,
                first_seq,
            } => {
                let seq = first_seq + offset;
                let run = count.min(span.count - offset);
                (
                    Origin::Writes {
                        group: *group,
                        session: *session,
                        seq,
                    },
                    run,
                )
            }
            What::Reads(ids) => {
                let id = ids.get(usize::try_from(offset).ok()?)?;
                (Origin::Read(*id), 1)
            }
        };
        span.left = span.left.saturating_sub(run);
        while self.spans.front().is_some_and(|span| span.left == 0) {
            self.spans.pop_front();
        }
        Some((origin, run))
    }

    /// Forgets everything, because the connection is gone, and returns it.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (What, u64)> {
        self.spans.drain(..).map(|span| (span.what, span.count))
    }
}

#[cfg(test)]
mod tests {
    use repertoire_core::GroupId;

    use super::{Origin, Spans, What};

    fn writes(first_seq: u64) -> What {
        What::Writes {
            group: GroupId::new(1, 0),
            session: 9,
            first_seq,
        }
    }

    fn seq(origin: Origin) -> u64 {
        let Origin::Writes { seq, .. } = origin else {
            panic!("a read")
        };
        seq
    }

    #[test]
    fn a_run_of_answers_may_cross_spans() {
        let mut spans = Spans::default();
        spans.push(1, 3, writes(10));
        spans.push(4, 2, writes(50));
        let (origin, run) = spans.answered(2, 4).unwrap();
        assert_eq!((seq(origin), run), (11, 2));
        let (origin, run) = spans.answered(4, 2).unwrap();
        assert_eq!((seq(origin), run), (50, 2));
        assert!(spans.answered(6, 1).is_none());
        let (origin, _) = spans.answered(1, 1).unwrap();
        assert_eq!(seq(origin), 10);
        assert!(spans.answered(1, 1).is_none(), "everything was answered");
    }
}
