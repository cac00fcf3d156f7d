//! Why a connection was refused.

use std::fmt;

macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a connection was refused. Append-only; travels as its [`code`](Self::code), also as
        /// the code with which the connection is closed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum RefusalReason {
            $($(#[$meta])* $name,)*
            /// A reason that a later version added.
            Other(u16),
        }

        impl RefusalReason {
            /// The number on the wire.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// The reason of that number.
            pub const fn from_code(code: u16) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// Every reason of this version.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable name for logs and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(_) => "other",
                }
            }
        }
    };
}

reasons! {
    /// The other side showed no certificate.
    NoCertificate = 1, "no-certificate";
    /// Its certificate was signed by none of our authorities.
    ForeignAuthority = 2, "foreign-authority";
    /// Its certificate is not valid any more.
    Expired = 3, "expired";
    /// Its certificate is not valid yet.
    NotYetValid = 4, "not-yet-valid";
    /// Its certificate names another node than the one expected.
    OtherIdentity = 5, "other-identity";
    /// Its certificate may not be used for this end of a connection.
    WrongUsage = 6, "wrong-usage";
    /// Its certificate is damaged, revoked or signed by an unknown algorithm.
    BadCertificate = 7, "bad-certificate";
    /// It says that it is someone else than its certificate says.
    HelloMismatch = 8, "hello-mismatch";
    /// It belongs to another cluster.
    WrongCluster = 9, "wrong-cluster";
    /// Another disk of the same node is connected already.
    SecondIncarnation = 10, "second-incarnation";
    /// No protocol version in common.
    NoCommonVersion = 11, "no-common-version";
    /// A client where only nodes are served, or the reverse.
    WrongRole = 12, "wrong-role";
    /// The node is not a member of the cluster, as far as this one knows.
    NotAMember = 13, "not-a-member";
    /// The node with the lower id dials.
    NotTheDialler = 14, "not-the-dialler";
    /// Too many connections.
    TooMany = 15, "too-many";
    /// Nothing came in time.
    TimedOut = 16, "timed-out";
    /// Bytes that cannot be understood.
    Malformed = 17, "malformed";
    /// The node is shutting down.
    ShuttingDown = 18, "shutting-down";
    /// The other side did not read its replies.
    SlowReader = 19, "slow-reader";
    /// A newer connection of the same peer took over.
    Replaced = 20, "replaced";
    /// The two configurations differ.
    ConfigMismatch = 21, "config-mismatch";
    /// Its disk is not the one that was met before: restored from a copy, or running twice.
    NotContinued = 22, "not-continued";
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(code) = self {
            write!(f, "other-{code}")
        } else {
            f.write_str(self.name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RefusalReason;

    #[test]
    fn codes_are_distinct_and_survive_the_round_trip() {
        let mut codes: Vec<u16> = RefusalReason::ALL.iter().map(|r| r.code()).collect();
        for reason in RefusalReason::ALL {
            assert_eq!(RefusalReason::from_code(reason.code()), *reason);
        }
        codes.dedup();
        assert_eq!(codes.len(), RefusalReason::ALL.len());
        assert_eq!(RefusalReason::from_code(999), RefusalReason::Other(999));
    }
}
