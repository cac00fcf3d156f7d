//! Who belongs to the group.

use super::Host;
use crate::{Error, Machine, MemberChange, MembershipView, Now};

impl<M: Machine> Host<M> {
    /// Changes who belongs to the group.
    ///
    /// # Errors
    /// Those of [`Protocol::change_members`](crate::Protocol::change_members).
    pub fn change_members(&mut self, now: Now, change: &MemberChange) -> Result<(), Error> {
        self.machine.change_members(now, change, &mut self.fx)
    }

    /// The membership that the replica goes by; `None` for a protocol whose groups cannot change.
    pub fn members(&self) -> Option<MembershipView> {
        self.machine.members()
    }
}
