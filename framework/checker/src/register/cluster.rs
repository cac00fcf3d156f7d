//! Groups the operations on one key by the value that they wrote or saw.

use super::{Moment, RegisterFault, Zone};
use crate::history::{Fate, OpId, OpKind, Operation, Outcome, WriteId};

/// What an operation did to a value. Writes sort before the reads of their value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Write,
    UnknownWrite,
    RefusedWrite,
    Read,
}

/// One operation, seen as an access to one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    value: Option<WriteId>,
    role: Role,
    op: OpId,
    invoked: Moment,
    returned: Moment,
}

/// The accesses in `operations` that say something, sorted by value, write first.
pub(super) fn accesses(operations: &[&Operation]) -> Result<Vec<Access>, RegisterFault> {
    let mut accesses = Vec::with_capacity(operations.len());
    for operation in operations {
        let (value, role) = match operation.kind {
            OpKind::Write { id } | OpKind::Delete { id } => (Some(id), role_of_write(operation)),
            OpKind::Read { observed } => {
                if operation.outcome != Outcome::Ok {
                    continue;
                }
                (observed, Role::Read)
            }
            OpKind::CompareAndSet { .. }
            | OpKind::Increment { .. }
            | OpKind::ReadCounter { .. } => {
                return Err(RegisterFault::Unsupported { op: operation.id });
            }
        };
        accesses.push(Access {
            value,
            role,
            op: operation.id,
            invoked: Moment::At(operation.invoked_ns),
            returned: operation.finished_ns().map_or(Moment::Never, Moment::At),
        });
    }
    // Sorting is several times faster than a map of clusters. It is stable: ties stay in order.
    accesses.sort_by_key(|access| (access.value, access.role));
    Ok(accesses)
}

fn role_of_write(operation: &Operation) -> Role {
    match operation.fate() {
        Fate::Applied => Role::Write,
        Fate::Unknown => Role::UnknownWrite,
        Fate::NotApplied => Role::RefusedWrite,
    }
}

/// All accesses to one value.
pub(super) struct Cluster<'a> {
    value: Option<WriteId>,
    accesses: &'a [Access],
}

/// The clusters of sorted accesses.
pub(super) fn clusters(accesses: &[Access]) -> impl Iterator<Item = Cluster<'_>> {
    accesses
        .chunk_by(|a, b| a.value == b.value)
        .filter_map(|accesses| {
            let first = accesses.first()?;
            Some(Cluster {
                value: first.value,
                accesses,
            })
        })
}

impl Cluster<'_> {
    /// The zone of the value; `None` when the value was never there, or need not have been.
    pub(super) fn zone(&self) -> Result<Option<Zone>, RegisterFault> {
        let Some(first) = self.accesses.first() else {
            return Ok(None);
        };
        let Some(value) = self.value else {
            return Ok(Some(self.initial_zone()));
        };
        let read = self
            .accesses
            .iter()
            .find(|access| access.role == Role::Read)
            .map(|a| a.op);
        match (first.role, read) {
            (Role::Read, _) => {
                return Err(RegisterFault::Phantom {
                    read: first.op,
                    value,
                });
            }
            (Role::RefusedWrite, Some(read)) => {
                return Err(RegisterFault::RefusedWriteSeen {
                    read,
                    write: first.op,
                    value,
                });
            }
            (Role::RefusedWrite | Role::UnknownWrite, None) => return Ok(None),
            (Role::Write | Role::UnknownWrite, _) => {}
        }
        let (earliest, latest) = self.bounds(first);
        if earliest.returned < first.invoked {
            return Err(RegisterFault::ReadFromFuture {
                read: earliest.op,
                write: first.op,
                value,
            });
        }
        Ok(Some(Zone {
            value: Some(value),
            first_return: earliest.returned,
            first_return_op: Some(earliest.op),
            last_invoke: latest.invoked,
            last_invoke_op: Some(latest.op),
        }))
    }

    /// The zone of the initial value, written before everything by nobody.
    fn initial_zone(&self) -> Zone {
        let latest = self.accesses.iter().max_by_key(|access| access.invoked);
        Zone {
            value: None,
            first_return: Moment::Beginning,
            first_return_op: None,
            last_invoke: latest.map_or(Moment::Beginning, |access| access.invoked),
            last_invoke_op: latest.map(|access| access.op),
        }
    }

    /// The access that returned first, and the one that was invoked last.
    fn bounds(&self, first: &Access) -> (Access, Access) {
        self.accesses
            .iter()
            .fold((*first, *first), |(earliest, latest), access| {
                (
                    if access.returned < earliest.returned {
                        *access
                    } else {
                        earliest
                    },
                    if access.invoked > latest.invoked {
                        *access
                    } else {
                        latest
                    },
                )
            })
    }
}
