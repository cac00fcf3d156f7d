//! Sealing and opening session tokens, for clients: the key stays with the nodes.

use bytes::Bytes;
use repertoire_core::{ClusterId, Error, ErrorKind, SessionPositions, SessionToken, TokenKeys};
use serde::Deserialize;
use serde_json::json;

/// What a node needs to seal and open tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenDesk {
    cluster: ClusterId,
    keys: Option<TokenKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open<'a> {
    #[serde(borrow)]
    token: std::borrow::Cow<'a, str>,
}

impl TokenDesk {
    pub(crate) const fn new(cluster: ClusterId, keys: Option<TokenKeys>) -> Self {
        Self { cluster, keys }
    }

    /// Seals positions (JSON) into a token: `{"token": text}`.
    ///
    /// # Errors
    /// `Malformed` for other arguments, `Unsupported` without a key.
    pub(crate) fn seal(&self, args: &[u8]) -> Result<Bytes, Error> {
        let positions: SessionPositions = parse("seal-token", args)?;
        let token = SessionToken::seal(&positions, self.cluster, self.keys()?);
        Ok(Bytes::from(json!({"token": token.to_string()}).to_string()))
    }

    /// Opens `{"token": text}`: the positions, as JSON.
    ///
    /// # Errors
    /// `InvalidToken`; `Malformed` for other arguments, `Unsupported` without a key.
    pub(crate) fn open(&self, args: &[u8]) -> Result<Bytes, Error> {
        let Open { token } = parse("open-token", args)?;
        let token: SessionToken = token.parse()?;
        let positions = token.open(self.cluster, self.keys()?)?;
        let json = serde_json::to_vec(&positions);
        let failed = |e| Error::new(ErrorKind::Unexpected, "open a token").with("detail", e);
        json.map(Bytes::from).map_err(failed)
    }

    fn keys(&self) -> Result<&TokenKeys, Error> {
        self.keys.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "use a session token")
                .with("detail", "this node has no key for tokens")
                .with(
                    "remedy",
                    "make one with `repertoire cert token`, the same for all nodes",
                )
        })
    }
}

fn parse<'a, T: Deserialize<'a>>(name: &str, args: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(args).map_err(|error| {
        Error::new(ErrorKind::Malformed, "call")
            .with("name", name)
            .with("detail", error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(key: u8) -> TokenDesk {
        TokenDesk::new(ClusterId(7), Some(TokenKeys::single(&[key; 32])))
    }

    #[test]
    fn what_one_node_seals_another_opens() {
        let positions = br#"{"groups":[{"group":{"keyspace":1,"shard":0},"at":[[3,10]]}],"is_escalated":false}"#;
        let token = desk(1).seal(positions).unwrap();
        assert_eq!(desk(1).open(&token).unwrap().as_ref(), positions);
        let error = desk(2).open(&token).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidToken { .. }));
    }

    #[test]
    fn bad_arguments_and_a_missing_key_are_told_apart() {
        for args in [
            &b""[..],
            b"{}",
            b"[]",
            br#"{"token":1}"#,
            br#"{"tokens":"a"}"#,
        ] {
            let kinds = [desk(1).open(args), desk(1).seal(args)];
            for kind in kinds.map(|answer| answer.unwrap_err().kind().clone()) {
                assert_eq!(kind, ErrorKind::Malformed);
            }
        }
        let positions = br#"{"groups":[],"is_escalated":false}"#;
        let error = TokenDesk::default().seal(positions).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
}
