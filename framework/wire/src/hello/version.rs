//! Which protocol version two processes speak.

use serde::{Deserialize, Serialize};

use crate::WireError;

/// The range of protocol versions that a process speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

impl VersionRange {
    /// What this build speaks.
    pub const OURS: Self = Self { min: 1, max: 1 };

    /// The highest version that both ranges hold.
    ///
    /// # Errors
    /// `NoCommonVersion` when there is none.
    ///
    /// ```
    /// use repertoire_wire::hello::VersionRange;
    /// let (old, new) = (VersionRange { min: 1, max: 2 }, VersionRange { min: 2, max: 5 });
    /// assert_eq!(old.common(new), Ok(2));
    /// assert!(old.common(VersionRange { min: 3, max: 5 }).is_err());
    /// ```
    pub fn common(self, theirs: Self) -> Result<u16, WireError> {
        let highest = self.max.min(theirs.max);
        if highest >= self.min.max(theirs.min) {
            Ok(highest)
        } else {
            Err(WireError::NoCommonVersion {
                ours_min: self.min,
                ours_max: self.max,
                theirs_min: theirs.min,
                theirs_max: theirs.max,
            })
        }
    }
}
