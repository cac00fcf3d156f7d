//! The secret that the nodes of a cluster share to seal tokens.

use std::fmt;

use ring::hmac;

use crate::{Error, ErrorKind};

/// Length of a key, in bytes: that of the hash, beyond which more adds nothing.
pub const TOKEN_KEY_LEN: usize = 32;

/// Most keys at once: one in use, the others while tokens that they sealed are still about.
const KEYS_MAX: usize = 8;

/// Separates these seals from anything else that might once be signed with the same key.
const LABEL: &[u8] = b"repertoire session token\0";

/// The keys of a cluster's tokens. The first one seals; all of them are accepted, so that a key can
/// be replaced: first add the new one at the end of every node's file, then move it to the front,
/// then remove the old one.
#[derive(Clone)]
pub struct TokenKeys {
    first: hmac::Key,
    others: Vec<hmac::Key>,
}

impl TokenKeys {
    /// Keys from the text of a key file: one key per line, as 64 hexadecimal digits. Empty lines and
    /// lines that begin with `#` are left out.
    ///
    /// # Errors
    /// `ConfigInvalid` for a text without keys, with more than 8, or with a line that is none. The
    /// error names the line's number, never its content.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = decode(line)
                .ok_or_else(|| invalid("a key is 64 hexadecimal digits").with("line", number))?;
            keys.push(hmac::Key::new(hmac::HMAC_SHA256, &key));
        }
        if keys.len() > KEYS_MAX {
            return Err(invalid("there are more than 8 keys"));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or_else(|| invalid("there is no key"))?;
        let others = keys.collect();
        Ok(Self { first, others })
    }

    /// Keys of a single secret.
    pub fn single(secret: &[u8; TOKEN_KEY_LEN]) -> Self {
        Self {
            first: hmac::Key::new(hmac::HMAC_SHA256, secret),
            others: Vec::new(),
        }
    }

    /// The text of a key file with one secret, which must be drawn at random.
    pub fn file_text(secret: &[u8; TOKEN_KEY_LEN]) -> String {
        let mut text = String::with_capacity(2 * TOKEN_KEY_LEN + 1);
        for byte in secret {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        text.push('\n');
        text
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.first, &labelled(bytes));
        // The tag of HMAC-SHA-256 has 32 bytes.
        tag.as_ref().try_into().unwrap_or_default()
    }

    /// Takes the same time whatever differs.
    pub(super) fn verify(&self, bytes: &[u8], tag: &[u8]) -> bool {
        let bytes = labelled(bytes);
        let mut keys = std::iter::once(&self.first).chain(&self.others);
        keys.any(|key| hmac::verify(key, &bytes, tag).is_ok())
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys({})", 1 + self.others.len())
    }
}

fn labelled(bytes: &[u8]) -> Vec<u8> {
    [LABEL, bytes].concat()
}

fn invalid(detail: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "read the keys of session tokens").with("detail", detail)
}

fn decode(line: &str) -> Option<[u8; TOKEN_KEY_LEN]> {
    let mut key = [0; TOKEN_KEY_LEN];
    if line.len() != 2 * TOKEN_KEY_LEN {
        return None;
    }
    let mut digits = line.chars().map(|digit| digit.to_digit(16));
    for byte in &mut key {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(key)
}
