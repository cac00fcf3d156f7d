//! The configuration of a node.

mod typed;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::check::{self, Findings};
use crate::error::{ConfigError, ConfigErrors, Origin};
use crate::layers::Layers;
use crate::sections::{
    ClusterConfig, KeyspaceConfig, LimitsConfig, LogConfig, NodeConfig, TlsConfig, TransportConfig,
};
use crate::strings;
use crate::{cross, tree::Tree};

/// The configuration of a node: complete, checked, and with the origin of each value.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// This node.
    pub node: NodeConfig,
    /// Its certificates.
    pub tls: TlsConfig,
    /// The cluster.
    pub cluster: ClusterConfig,
    /// The keyspaces, by name; the catalogue is not among them.
    #[serde(rename = "keyspace")]
    pub keyspaces: BTreeMap<String, KeyspaceConfig>,
    /// The log files.
    pub log: LogConfig,
    /// Bytes under way.
    pub limits: LimitsConfig,
    /// The network.
    pub transport: TransportConfig,
    #[serde(skip)]
    pub(crate) origins: Origins,
}

/// Where each value came from.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) by_key: BTreeMap<String, Origin>,
    /// The first file, where what is missing should be written.
    pub(crate) home: Origin,
}

impl Config {
    /// Loads the layers, each stronger than those before it: files in their order, the variables
    /// `REPERTOIRE_CONFIG__SECTION__KEY`, the variables `REPERTOIRE_<FLAG>`, and `overrides`,
    /// pairs of a [flag](crate::flags) or the full path of a key, and a value.
    ///
    /// The environment is given, not read: pass [`environment()`](crate::environment()), or
    /// nothing in tests.
    ///
    /// # Errors
    /// All problems that can be told at once.
    pub fn load<P: AsRef<Path>>(
        paths: &[P],
        environment: &[(String, String)],
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigErrors> {
        let mut layers = Layers::new();
        let mut problems = Vec::new();
        for path in paths {
            if let Err(errors) = layers.add_file(path.as_ref()) {
                problems.extend_from_slice(errors.problems());
            }
        }
        // Half of the files would cause a list of problems that are none.
        ConfigErrors::unless_empty(problems, ())?;
        let first = paths.first().map(|path| path.as_ref().to_owned());
        Self::assemble(layers, first.map(Origin::File), environment, overrides)
    }

    /// Loads one text as if it were the contents of the file `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self, ConfigErrors> {
        let mut layers = Layers::new();
        layers.add_text(path.as_ref(), text)?;
        let home = Origin::File(path.as_ref().to_owned());
        Self::assemble(layers, Some(home), &[], &[])
    }

    fn assemble(
        mut layers: Layers,
        file: Option<Origin>,
        environment: &[(String, String)],
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigErrors> {
        let home = file.unwrap_or_else(|| Origin::Environment(strings::PREFIX.to_owned() + "…"));
        let mut findings = Findings::new(home.clone());
        strings::add_environment(&mut layers, environment, &mut findings);
        strings::add_overrides(&mut layers, overrides, &mut findings);
        Self::from_tree(&layers.merged(), home, findings)
    }

    fn from_tree(tree: &Tree, home: Origin, mut findings: Findings) -> Result<Self, ConfigErrors> {
        let mut checked = check::check(tree, &mut findings);
        typed::complete(&mut checked);
        let sections = typed::sections(checked, &mut findings);
        let (mut problems, by_key) = findings.into_parts();
        let Some(mut config) = sections else {
            return Err(ConfigErrors::or(problems, unexplained(home)));
        };
        config.origins = Origins { by_key, home };
        problems.extend(cross::check(&config));
        ConfigErrors::unless_empty(problems, config)
    }

    /// Where the value of a key came from, by its full path.
    pub fn origin_of(&self, key: &str) -> Origin {
        let origin = self.origins.by_key.get(key);
        origin.cloned().unwrap_or(Origin::Default)
    }
}

fn unexplained(home: Origin) -> ConfigError {
    ConfigError::new(
        home,
        "",
        "the configuration passed its checks and still does not fit",
        "this is a bug: please report it with the file",
    )
}
