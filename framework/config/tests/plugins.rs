//! Keyspaces against a registry: problems keep file, key and fix.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use bytes::Bytes;
use repertoire_config::{Config, ConfigErrors};
use repertoire_core::{
    Boot, Capabilities, Class, DecodeError, Descriptor, Effects, Error, ErrorKind, Input, Now,
    Protocol, Registry, Scope, Status, TimerKey, WireMessage,
};
use serde::Deserialize;

/// A protocol that is only ever asked whether it accepts a descriptor.
struct Careful;

#[derive(Clone, Copy, Debug)]
enum Nothing {}

impl WireMessage for Nothing {
    type Head = u8;

    fn into_parts(self) -> (u8, Bytes) {
        match self {}
    }

    fn from_parts(value: u8, _body: Bytes) -> Result<Self, DecodeError> {
        let field = "message";
        let value = value.into();
        Err(DecodeError::Invalid { field, value })
    }

    fn class(&self) -> Class {
        match *self {}
    }
}

impl TimerKey for Nothing {
    fn to_key(self) -> u64 {
        match self {}
    }

    fn from_key(_key: u64) -> Option<Self> {
        None
    }
}

#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    window_bytes: u32,
    leader: Option<u64>,
    /// What the catalogue asks for.
    failover: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window_bytes: 4096,
            leader: None,
            failover: None,
        }
    }
}

impl Protocol for Careful {
    const NAME: &'static str = "single-leader";
    const SCOPE: Scope = Scope::Shard;
    type Config = Options;
    type Message = Nothing;
    type Timer = Nothing;

    fn capabilities(_config: &Options) -> Capabilities {
        Capabilities::default()
    }

    fn validate(descriptor: &Descriptor) -> Result<(), Error> {
        let options: Options = descriptor.section(Self::NAME)?;
        let refuse = |setting: &str, value: u64, remedy: &str| {
            Err(Error::new(ErrorKind::ConfigInvalid, "validate a keyspace")
                .with("keyspace", &descriptor.name)
                .with("setting", setting)
                .with("value", value)
                .with("remedy", remedy))
        };
        if options.window_bytes < 1024 {
            return refuse(
                "window_bytes",
                options.window_bytes.into(),
                "set at least 1024",
            );
        }
        match options.leader {
            Some(leader) if leader > 3 => refuse("leader", leader, "name a node"),
            _ if descriptor.options.key_max < 16 => refuse(
                "key_max",
                descriptor.options.key_max.into(),
                "set at least 16",
            ),
            _ => Ok(()),
        }
    }

    fn boot(_boot: Boot<'_>, _fx: &mut Effects<Nothing>) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Unsupported, "boot"))
    }

    fn step(&mut self, _now: Now, _input: Input<'_, Nothing>, _fx: &mut Effects<Nothing>) {}

    fn flush(&mut self, _now: Now, _fx: &mut Effects<Nothing>) {}

    fn inspect(&self) -> Status {
        unreachable!("it never boots")
    }
}

fn registry() -> Registry {
    let mut registry = Registry::empty();
    registry.protocol::<Careful>();
    let missing = || Err(Error::new(ErrorKind::Unsupported, "open"));
    registry.engine("memory", Arc::new(move |_| missing()));
    repertoire_log_formats::register(&mut registry);
    registry
}

fn validate(keyspace: &str) -> Result<(), ConfigErrors> {
    let text = format!(
        r#"
node = {{ id = 1, data = "data" }}
tls = {{ ca = "a", cert = "b", key = "c" }}
cluster = {{ name = "shop", nodes = {{ 1 = "127.0.0.1:1", 2 = "127.0.0.1:2" }} }}
[keyspace.orders]
{keyspace}"#
    );
    Config::parse("a.toml", &text)
        .unwrap()
        .validate(&registry())
}

#[test]
fn the_defaults_are_accepted() {
    validate("").unwrap();
    validate("single-leader = { window_bytes = 1024, leader = 3, acks = \"sync\" }").unwrap();
}

#[test]
fn objections_become_problems_of_the_file() {
    for (keyspace, message) in [
        (
            "protocol = \"single-laeder\"",
            "a.toml: keyspace.orders.protocol = \"single-laeder\": no protocol of that name is \
             registered; write \"single-leader\"",
        ),
        (
            "engine = \"redb\"",
            "a.toml: keyspace.orders.engine = \"redb\": no engine of that name is registered; \
             choose one of: memory",
        ),
        (
            "resolver = \"or-set\"",
            "a.toml: keyspace.orders.resolver = \"or-set\": no resolver of that name is \
             registered; register a resolver in the program first",
        ),
        (
            "single-leader = { windowbytes = 5 }",
            "a.toml: keyspace.orders.single-leader.windowbytes: unknown key; the nearest known \
             key is `window_bytes`; write `window_bytes`, or remove the line",
        ),
        (
            "single-leader = { election = \"majority\" }",
            "a.toml: keyspace.orders.single-leader.election: unknown key; remove the line; it \
             takes window_bytes, leader, failover",
        ),
        (
            "single-leader = { window_bytes = 5 }",
            "a.toml: keyspace.orders.single-leader.window_bytes = 5: single-leader refuses it; \
             set at least 1024",
        ),
        (
            "key_max = 5",
            "a.toml: keyspace.orders.key_max = 5: single-leader refuses it; set at least 16",
        ),
    ] {
        assert_eq!(validate(keyspace).unwrap_err().to_string(), message);
    }
    let unread = validate("single-leader = { leader = \"first\" }")
        .unwrap_err()
        .to_string();
    assert!(
        unread.starts_with("a.toml: keyspace.orders.single-leader: its options cannot be read"),
        "{unread}"
    );
}

#[test]
fn all_unknown_plugins_are_told_at_once() {
    let errors = validate("protocol = \"x\"\nengine = \"y\"\nlog_format = \"z\"").unwrap_err();
    assert_eq!(errors.problems().len(), 3, "{errors}");
}
