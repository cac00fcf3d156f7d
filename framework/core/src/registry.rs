//! Plug-ins by name. Adding one never edits the framework: build a registry, register, pass it on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::erase;
use crate::{
    Boot, Descriptor, Effects, Encoded, ErasedMachine, Error, ErrorKind, Function, LogFormat,
    Protocol, Resolver, Scope, StorageEngine,
};

/// Boots a replica, erased.
pub type BootFn = fn(Boot<'_>, &mut Effects<Encoded>) -> Result<ErasedMachine, Error>;

/// Makes replicas of one protocol, erased.
#[derive(Clone, Copy)]
pub struct ProtocolFactory {
    /// What one instance serves.
    pub scope: Scope,
    /// Refuses descriptors that the protocol cannot serve.
    pub validate: fn(&Descriptor) -> Result<(), Error>,
    /// Boots a replica.
    pub boot: BootFn,
}

impl std::fmt::Debug for ProtocolFactory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtocolFactory")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What an engine factory is told.
#[derive(Clone, Debug)]
pub struct EngineSpec {
    /// The keyspace.
    pub descriptor: Arc<Descriptor>,
    /// A folder of its own, for engines with files.
    pub folder: std::path::PathBuf,
}

/// Makes an empty engine, or opens the one that is there.
pub type EngineFactory =
    Arc<dyn Fn(&EngineSpec) -> Result<Box<dyn StorageEngine>, Error> + Send + Sync>;

/// The plug-ins that a node may use.
#[derive(Clone, Default)]
pub struct Registry {
    protocols: BTreeMap<String, ProtocolFactory>,
    engines: BTreeMap<String, EngineFactory>,
    formats: BTreeMap<String, Arc<dyn LogFormat>>,
    resolvers: BTreeMap<String, Arc<dyn Resolver>>,
    functions: BTreeMap<String, Arc<dyn Function>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("protocols", &self.protocols.keys())
            .field("engines", &self.engines.keys())
            .field("formats", &self.formats.keys())
            .field("resolvers", &self.resolvers.keys())
            .field("functions", &self.functions.keys())
            .finish()
    }
}

impl Registry {
    /// Without any plug-in.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a protocol under its own name, replacing one of the same name.
    pub fn protocol<P: Protocol>(&mut self) -> &mut Self {
        let factory = ProtocolFactory {
            scope: P::SCOPE,
            validate: P::validate,
            boot: erase::<P>,
        };
        self.protocols.insert(P::NAME.to_owned(), factory);
        self
    }

    /// Adds an engine.
    pub fn engine(&mut self, name: &str, factory: EngineFactory) -> &mut Self {
        self.engines.insert(name.to_owned(), factory);
        self
    }

    /// Adds a log format under its own name.
    pub fn format(&mut self, format: Arc<dyn LogFormat>) -> &mut Self {
        self.formats.insert(format.name().to_owned(), format);
        self
    }

    /// Adds a resolver under its own name.
    pub fn resolver(&mut self, resolver: Arc<dyn Resolver>) -> &mut Self {
        self.resolvers.insert(resolver.name().to_owned(), resolver);
        self
    }

    /// Adds a function under its own name.
    pub fn function(&mut self, function: Arc<dyn Function>) -> &mut Self {
        self.functions.insert(function.name().to_owned(), function);
        self
    }

    /// A protocol by name.
    ///
    /// # Errors
    /// `ConfigInvalid`, with the names there are.
    pub fn get_protocol(&self, name: &str) -> Result<&ProtocolFactory, Error> {
        find(&self.protocols, "protocol", name)
    }

    /// An engine's factory by name.
    ///
    /// # Errors
    /// `ConfigInvalid`, with the names there are.
    pub fn get_engine(&self, name: &str) -> Result<&EngineFactory, Error> {
        find(&self.engines, "engine", name)
    }

    /// A log format by name.
    ///
    /// # Errors
    /// `ConfigInvalid`, with the names there are.
    pub fn get_format(&self, name: &str) -> Result<&Arc<dyn LogFormat>, Error> {
        find(&self.formats, "log format", name)
    }

    /// A resolver by name.
    ///
    /// # Errors
    /// `ConfigInvalid`, with the names there are.
    pub fn get_resolver(&self, name: &str) -> Result<&Arc<dyn Resolver>, Error> {
        find(&self.resolvers, "resolver", name)
    }

    /// All log formats.
    pub fn formats(&self) -> impl Iterator<Item = &Arc<dyn LogFormat>> {
        self.formats.values()
    }

    /// A function by name.
    ///
    /// # Errors
    /// `Unsupported`, when no such function is registered.
    pub fn get_function(&self, name: &str) -> Result<&Arc<dyn Function>, Error> {
        let missing =
            || Error::new(ErrorKind::Unsupported, "call a function").with("function", name);
        self.functions.get(name).ok_or_else(missing)
    }

    /// Checks that every plug-in of a descriptor exists and accepts it.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming keyspace, setting and remedy.
    pub fn validate(&self, descriptor: &Descriptor) -> Result<(), Error> {
        let keyspace = |e: Error| e.with("keyspace", &descriptor.name);
        let protocol = self
            .get_protocol(&descriptor.protocol.name)
            .map_err(keyspace)?;
        self.get_engine(&descriptor.engine.name).map_err(keyspace)?;
        self.get_format(&descriptor.log_format.name)
            .map_err(keyspace)?;
        if let Some(resolver) = &descriptor.resolver {
            self.get_resolver(&resolver.name).map_err(keyspace)?;
        }
        (protocol.validate)(descriptor)
    }
}

fn find<'a, T>(
    plugins: &'a BTreeMap<String, T>,
    what: &'static str,
    name: &str,
) -> Result<&'a T, Error> {
    let known = || plugins.keys().cloned().collect::<Vec<_>>().join(", ");
    let missing = || {
        Error::new(ErrorKind::ConfigInvalid, "choose a plug-in")
            .with(what, name)
            .with("known", known())
    };
    plugins.get(name).ok_or_else(missing)
}
