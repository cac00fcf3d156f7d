//! How a disk's identity is written.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Incarnation;

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incarnation-{:032x}", self.0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Incarnation {
    type Err = ParseIntError;

    /// Reads what is printed, with its first word or without.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let digits = text.strip_prefix("incarnation-").unwrap_or(text);
        u128::from_str_radix(digits, 16).map(Self)
    }
}

/// In rows that people and other programs read: JSON knows numbers of 64 bits at most.
pub(crate) mod as_text {
    use super::{Deserialize, Deserializer, Incarnation, Serialize, Serializer, de};

    #[allow(
        clippy::ref_option,
        reason = "serde calls it with a reference to the field"
    )]
    pub(crate) fn serialize<S: Serializer>(
        disk: &Option<Incarnation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            disk.map(|disk| disk.to_string()).serialize(serializer)
        } else {
            disk.serialize(serializer)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Incarnation>, D::Error> {
        if !deserializer.is_human_readable() {
            return Option::deserialize(deserializer);
        }
        let text = Option::<String>::deserialize(deserializer)?;
        let disk = text.map(|text| text.parse()).transpose();
        disk.map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Incarnation, NodeId, ReplicaSpec};

    #[test]
    fn a_disk_survives_programs_that_know_small_numbers_only() {
        let disk = Incarnation(u128::MAX - 7);
        let spec = ReplicaSpec {
            incarnation: Some(disk),
            ..ReplicaSpec::on(NodeId(4))
        };
        let value = serde_json::to_value(&spec).unwrap();
        assert_eq!(value["incarnation"], disk.to_string());
        assert_eq!(serde_json::from_value::<ReplicaSpec>(value).unwrap(), spec);
        let bytes = postcard::to_stdvec(&spec).unwrap();
        assert_eq!(postcard::from_bytes::<ReplicaSpec>(&bytes).unwrap(), spec);
        assert_eq!("disk 7".parse::<Incarnation>().ok(), None);
    }
}
