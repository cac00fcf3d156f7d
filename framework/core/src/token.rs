//! Session tokens: what a session has seen, in a form that may pass through foreign hands.
//!
//! A token leaves the cluster: it is put into a cookie, handed from a phone to a laptop, kept in
//! another database. It comes back as anything. So it is sealed with a key that only the cluster's
//! nodes hold, and nothing in it is believed before the seal was checked.
//!
//! ```text
//! token   version u8 | cluster u128 | postcard of the positions | HMAC-SHA-256 over all of that
//! text    the token in base64url, without padding
//! ```

mod fault;
mod keys;
mod positions;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

pub use fault::TokenFault;
pub use keys::{TOKEN_KEY_LEN, TokenKeys};
pub use positions::{EPOCHS_MAX, GROUPS_MAX, Need, SessionPositions};

use crate::{ClusterId, Error};

/// Longest token, in bytes of its text: what fits a cookie or a header line everywhere.
pub const TOKEN_MAX: usize = 4096;

/// The version that is written.
const VERSION: u8 = 1;

const HEAD_LEN: usize = 1 + 16;
const TAG_LEN: usize = 32;

/// What a session has seen, sealed by a node of the cluster. Opaque: its text may be stored and
/// handed on, but says nothing to whoever does not hold the key.
///
/// ```
/// use repertoire_core::{
///     ClusterId, EntryId, GroupId, LeaderEpoch, Lsn, SessionPositions, SessionToken, TokenKeys,
/// };
///
/// let keys = TokenKeys::parse(&"ab".repeat(32))?;
/// let mut positions = SessionPositions::default();
/// positions.note(GroupId::new(1, 0), EntryId::new(LeaderEpoch(3), Lsn(10)));
/// let text = SessionToken::seal(&positions, ClusterId(7), &keys).to_string();
///
/// let token: SessionToken = text.parse()?;
/// assert_eq!(token.open(ClusterId(7), &keys)?, positions);
/// assert!(token.open(ClusterId(8), &keys).is_err(), "a token of another cluster");
/// # Ok::<(), repertoire_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(Bytes);

impl SessionToken {
    /// Seals positions with the first of `keys`. It fits [`TOKEN_MAX`]: positions are capped.
    pub fn seal(positions: &SessionPositions, cluster: ClusterId, keys: &TokenKeys) -> Self {
        Self::seal_as(VERSION, positions, cluster, keys)
    }

    fn seal_as(
        version: u8,
        positions: &SessionPositions,
        cluster: ClusterId,
        keys: &TokenKeys,
    ) -> Self {
        let mut bytes = vec![version];
        bytes.extend(cluster.0.to_le_bytes());
        // Serialising flat numbers into a growing vector has no failure path.
        bytes.extend(postcard::to_stdvec(positions).unwrap_or_default());
        let tag = keys.sign(&bytes);
        bytes.extend(tag);
        Self(bytes.into())
    }

    /// Checks the seal against all of `keys`, and reads what the session has seen.
    ///
    /// # Errors
    /// `InvalidToken`, with the [`TokenFault`] that says why: it names another cluster, its seal does
    /// not match, its version is not known any more, or its parts do not fit together.
    pub fn open(&self, cluster: ClusterId, keys: &TokenKeys) -> Result<SessionPositions, Error> {
        let malformed = || Error::from(TokenFault::Malformed);
        let split = self.0.len().checked_sub(TAG_LEN).ok_or_else(malformed)?;
        let (signed, tag) = self.0.split_at_checked(split).ok_or_else(malformed)?;
        let (head, body) = signed.split_at_checked(HEAD_LEN).ok_or_else(malformed)?;
        let (version, named) = head.split_first().ok_or_else(malformed)?;
        let named = <[u8; 16]>::try_from(named).map_err(|_| malformed())?;
        let named = ClusterId(u128::from_le_bytes(named));
        // Each cluster has keys of its own: the better explanation of a wrong seal comes first.
        if named != cluster {
            let cluster = Box::new(named);
            return Err(TokenFault::Foreign { cluster }.into());
        }
        if !keys.verify(signed, tag) {
            return Err(TokenFault::Forged.into());
        }
        if *version != VERSION {
            let version = *version;
            return Err(TokenFault::Outdated { version }.into());
        }
        match postcard::take_from_bytes(body) {
            Ok((positions, [])) => Ok(positions),
            _ => Err(malformed()),
        }
    }
}

impl FromStr for SessionToken {
    type Err = Error;

    /// # Errors
    /// `InvalidToken` for a text that is too long or not in base64url. The seal is checked by
    /// [`open`](Self::open).
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > TOKEN_MAX {
            let (len, max) = (text.len() as u64, TOKEN_MAX as u64);
            return Err(TokenFault::TooLong { len, max }.into());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text);
        let bytes = bytes.map_err(|_| Error::from(TokenFault::Malformed))?;
        if bytes.len() < HEAD_LEN + TAG_LEN {
            return Err(TokenFault::Malformed.into());
        }
        Ok(Self(bytes.into()))
    }
}

impl fmt::Display for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken({} bytes)", self.0.len())
    }
}

#[cfg(test)]
#[path = "token/token_test.rs"]
mod tests;
