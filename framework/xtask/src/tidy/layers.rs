//! Which crate may depend on which. A crate uses lower layers only.

use crate::metadata::{Crate, Dependency, Kind};
use crate::tidy::Violation;

/// The layers, from the bottom up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Core,
    /// Pure words on top of the core: wire, resolvers, log formats.
    Words,
    Protocol,
    Transport,
    Storage,
    Config,
    Runtime,
    /// What talks to a runtime: client, admin.
    Access,
    Facade,
    /// Simulator, checkers, conformance suites.
    Testkit,
    /// What nobody depends on: command, examples, book, benches.
    Top,
    /// Chores: they know no other crate.
    Chore,
}

/// Outside crates that one crate alone may know: their types are part of nobody's public face.
const OWNED: [(&str, &str); 3] = [
    ("actix", "framework/runtime"),
    ("figment", "framework/config"),
    ("quinn", "transports/quic"),
];

/// Crates of one layer of which the first may use the second.
const SIBLINGS: [(&str, &str); 3] = [
    // The command's `bench` verb is the load generator.
    ("framework/cli", "framework/bench"),
    // A multi-leader site is a single-leader group.
    ("protocols/multi-leader", "protocols/single-leader"),
    // The decorator wraps the log's `Disk`.
    ("storage-backends/faulty", "storage-backends/segment-log"),
];

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(check_crate).collect()
}

fn check_crate(krate: &Crate) -> Vec<Violation> {
    let manifest = format!("{}/Cargo.toml", krate.folder);
    let Some(layer) = layer_of(&krate.folder) else {
        let message = "this folder has no layer: add it to framework/xtask/src/tidy/layers.rs";
        return vec![Violation::file(&manifest, message)];
    };
    let refused = krate
        .dependencies
        .iter()
        .filter_map(|dependency| refusal(krate, layer, dependency));
    refused
        .map(|message| Violation::file(&manifest, message))
        .collect()
}

fn refusal(krate: &Crate, layer: Layer, dependency: &Dependency) -> Option<String> {
    let Some(folder) = &dependency.folder else {
        return refusal_of_outsider(krate, dependency);
    };
    let target = layer_of(folder)?;
    let allowed = may_use(layer, target)
        || SIBLINGS.contains(&(krate.folder.as_str(), folder.as_str()))
        || (dependency.kind == Kind::Dev && may_test_with(layer, target));
    (!allowed).then(|| {
        format!("{layer:?} may not depend on {} ({target:?}): only on lower layers, see ARCHITECTURE.md", dependency.name)
    })
}

fn refusal_of_outsider(krate: &Crate, dependency: &Dependency) -> Option<String> {
    let family =
        |name: &str| dependency.name == name || dependency.name.starts_with(&format!("{name}-"));
    let (name, owner) = OWNED.iter().find(|(name, _)| family(name))?;
    (krate.folder != *owner).then(|| {
        format!(
            "{} is for {owner} alone: {name} must not leak",
            dependency.name
        )
    })
}

fn layer_of(folder: &str) -> Option<Layer> {
    Some(match folder.split_once('/') {
        Some(("protocols", _)) => Layer::Protocol,
        Some(("transports", _)) => Layer::Transport,
        Some(("storage-backends", _)) => Layer::Storage,
        Some(("examples", _)) => Layer::Top,
        Some(("framework", name)) => match name {
            "core" => Layer::Core,
            "wire" | "resolvers" | "log-formats" => Layer::Words,
            "config" => Layer::Config,
            "runtime" => Layer::Runtime,
            "client" | "admin" => Layer::Access,
            "repertoire" => Layer::Facade,
            "sim" | "stage" | "checker" | "conformance" => Layer::Testkit,
            "cli" | "bench" => Layer::Top,
            "xtask" => Layer::Chore,
            _ => return None,
        },
        None if folder == "book" => Layer::Top,
        _ => return None,
    })
}

/// The table: who may be used by `layer` in the code that ships.
fn may_use(layer: Layer, target: Layer) -> bool {
    use Layer::{
        Access, Chore, Config, Core, Facade, Protocol, Runtime, Storage, Testkit, Top, Transport,
        Words,
    };
    match layer {
        Core | Chore => false,
        Words | Storage => target == Core,
        Protocol | Transport | Config => matches!(target, Core | Words),
        // The simulator runs the real log and the memory engine: both are sans-I/O.
        Testkit => matches!(target, Core | Words | Protocol | Storage | Testkit),
        Runtime => matches!(
            target,
            Core | Words | Protocol | Transport | Storage | Config
        ),
        Access => matches!(
            target,
            Core | Words | Protocol | Transport | Storage | Config | Runtime
        ),
        Facade => !matches!(target, Facade | Testkit | Top | Chore),
        Top => !matches!(target, Top | Chore),
    }
}

/// What tests may use besides: the testkit, and plug-ins of the same kind (a decorator's tests need something to wrap).
fn may_test_with(layer: Layer, target: Layer) -> bool {
    target == Layer::Testkit
        || (layer == target && matches!(layer, Layer::Storage | Layer::Transport))
        || (matches!(layer, Layer::Protocol | Layer::Words) && target == Layer::Storage)
        // A client's tests need nodes to talk to, and the facade starts them.
        || (layer == Layer::Access && target == Layer::Facade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(folder: &str, name: &str, kind: Kind, target: Option<&str>) -> usize {
        let dependency = Dependency {
            name: name.into(),
            kind,
            folder: target.map(str::to_owned),
        };
        let krate = Crate {
            name: "x".into(),
            folder: folder.into(),
            dependencies: vec![dependency],
        };
        check(&[krate]).len()
    }

    #[test]
    fn lower_layers_may_be_used_and_higher_ones_not() {
        assert_eq!(
            violations(
                "framework/runtime",
                "core",
                Kind::Normal,
                Some("framework/core")
            ),
            0
        );
        assert_eq!(
            violations(
                "framework/core",
                "runtime",
                Kind::Normal,
                Some("framework/runtime")
            ),
            1
        );
        assert_eq!(
            violations(
                "protocols/single-leader",
                "q",
                Kind::Normal,
                Some("transports/quic")
            ),
            1
        );
        assert_eq!(
            violations(
                "protocols/multi-leader",
                "s",
                Kind::Normal,
                Some("protocols/single-leader")
            ),
            0
        );
        assert_eq!(
            violations(
                "protocols/leaderless",
                "s",
                Kind::Normal,
                Some("protocols/single-leader")
            ),
            1
        );
    }

    #[test]
    fn tests_may_use_the_testkit() {
        assert_eq!(
            violations(
                "protocols/single-leader",
                "sim",
                Kind::Dev,
                Some("framework/sim")
            ),
            0
        );
        assert_eq!(
            violations(
                "protocols/single-leader",
                "sim",
                Kind::Normal,
                Some("framework/sim")
            ),
            1
        );
    }

    #[test]
    fn actix_stays_in_the_runtime_and_folders_need_a_layer() {
        assert_eq!(
            violations("framework/runtime", "actix-rt", Kind::Normal, None),
            0
        );
        assert_eq!(
            violations("framework/client", "actix-rt", Kind::Dev, None),
            1
        );
        assert_eq!(
            violations("framework/client", "quinn", Kind::Normal, None),
            1
        );
        assert_eq!(
            violations("framework/unheard-of", "serde", Kind::Normal, None),
            1
        );
    }
}
