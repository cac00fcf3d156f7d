//! Descriptors that cannot be served.

use repertoire_core::{Acks, Descriptor, ErrorKind, Protocol, ShardId};

use crate::must::must;

/// The descriptor under test is accepted. Others are accepted or refused with `ConfigInvalid`, naming the
/// keyspace; those that cannot mean anything are refused.
///
/// # Panics
/// When the protocol does otherwise.
pub fn descriptors_that_cannot_be_served_are_refused<P: Protocol>(descriptor: &Descriptor) {
    must(
        P::validate(descriptor),
        "validating the descriptor under test",
    );
    let section = |text: &str| format!(r#"{{"{}": {text}}}"#, P::NAME);
    must_refuse::<P>(descriptor, "no replica", |d| {
        d.placement.shards.values_mut().for_each(Vec::clear);
    });
    must_refuse::<P>(descriptor, "options that are not JSON", |d| {
        d.plugin_options = "{".into()
    });
    must_refuse::<P>(descriptor, "an option that there is not", |d| {
        d.plugin_options = section(r#"{"no_such_option": 1}"#);
    });
    must_refuse::<P>(descriptor, "options of a wrong type", |d| {
        d.plugin_options = section("[[]]")
    });
    may_refuse::<P>(descriptor, "more copies than replicas", |d| {
        d.options.acks = Acks::SemiSync(u8::MAX);
    });
    may_refuse::<P>(descriptor, "a node twice", |d| {
        let replicas = d.placement.shards.entry(ShardId(0)).or_default();
        replicas.extend(replicas.first().cloned());
    });
    for acks in [
        Acks::Async,
        Acks::SemiSync(0),
        Acks::SemiSync(1),
        Acks::Majority,
        Acks::Sync,
    ] {
        may_refuse::<P>(descriptor, "other acks", |d| d.options.acks = acks);
    }
}

/// Whether the descriptor is refused; an error must say enough.
fn may_refuse<P: Protocol>(
    base: &Descriptor,
    what: &str,
    change: impl FnOnce(&mut Descriptor),
) -> bool {
    let mut changed = base.clone();
    change(&mut changed);
    let Err(error) = P::validate(&changed) else {
        return false;
    };
    let is_named = error.to_string().contains(&base.name);
    assert!(
        is_named,
        "{what}: the error does not name the keyspace: {error}"
    );
    let is_config = matches!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(is_config, "{what}: refused with another error: {error}");
    true
}

fn must_refuse<P: Protocol>(base: &Descriptor, what: &str, change: impl FnOnce(&mut Descriptor)) {
    assert!(
        may_refuse::<P>(base, what, change),
        "{what}: a descriptor that means nothing is taken"
    );
}
