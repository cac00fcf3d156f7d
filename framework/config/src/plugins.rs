//! The keyspaces against the plug-ins that a node has.

use repertoire_core::{Descriptor, Error, Registry};

use crate::check::CATALOGUE;
use crate::config::Config;
use crate::error::{ConfigError, ConfigErrors};
use crate::nearest::nearest;
use crate::show;

impl Config {
    /// Checks that every plug-in exists, and that each protocol accepts its keyspace and its
    /// options.
    ///
    /// # Errors
    /// All problems that can be told at once: of each keyspace every unknown plug-in, or the first
    /// objection of its protocol.
    pub fn validate(&self, registry: &Registry) -> Result<(), ConfigErrors> {
        let mut problems = Vec::new();
        for descriptor in self.descriptors() {
            let unknown = self.unknown_plugins(&descriptor, registry);
            if unknown.is_empty()
                && let Err(error) = registry.validate(&descriptor)
            {
                problems.push(self.objection(&descriptor, &error));
            }
            problems.extend(unknown);
        }
        ConfigErrors::unless_empty(problems, ())
    }

    fn unknown_plugins(&self, descriptor: &Descriptor, registry: &Registry) -> Vec<ConfigError> {
        let resolver = descriptor.resolver.as_ref();
        let lookups = [
            (
                "protocol",
                registry.get_protocol(&descriptor.protocol.name).err(),
            ),
            ("engine", registry.get_engine(&descriptor.engine.name).err()),
            (
                "log_format",
                registry.get_format(&descriptor.log_format.name).err(),
            ),
            (
                "resolver",
                resolver.and_then(|resolver| registry.get_resolver(&resolver.name).err()),
            ),
        ];
        lookups
            .into_iter()
            .filter_map(|(setting, error)| Some((setting, error?)))
            .map(|(setting, error)| self.unknown_plugin(descriptor, setting, &error))
            .collect()
    }

    fn unknown_plugin(&self, descriptor: &Descriptor, setting: &str, error: &Error) -> ConfigError {
        let name = match setting {
            "protocol" => descriptor.protocol.name.as_str(),
            "engine" => &descriptor.engine.name,
            "log_format" => &descriptor.log_format.name,
            _ => descriptor
                .resolver
                .as_ref()
                .map_or("", |plugin| &plugin.name),
        };
        let what = setting.replace('_', " ");
        let known = fact(error, "known").unwrap_or_default();
        let reason = format!("no {what} of that name is registered");
        let remedy = match nearest(name, known.split(", ")) {
            Some(near) => format!("write \"{near}\""),
            None if known.is_empty() => format!("register a {what} in the program first"),
            None => format!("choose one of: {known}"),
        };
        self.about(descriptor, setting, reason, remedy)
            .with_value(show::short(setting, &name.into()))
    }

    /// What a protocol said, as a problem of the configuration. The words `setting`, `section`,
    /// `value`, `detail` and `remedy` in its context are those that built-in protocols use.
    fn objection(&self, descriptor: &Descriptor, error: &Error) -> ConfigError {
        let section = fact(error, "section");
        if let (Some(section), Some(detail)) = (section, fact(error, "detail")) {
            return self.unread_option(descriptor, section, detail);
        }
        let protocol = &descriptor.protocol.name;
        let remedy = fact(error, "remedy")
            .unwrap_or("see the page of the protocol for what it accepts")
            .to_owned();
        let Some(setting) = fact(error, "setting") else {
            return self.about(descriptor, "protocol", error.to_string(), remedy);
        };
        let is_generic =
            crate::fields::below("keyspace.<name>").any(|field| field.name() == setting);
        let key = match setting {
            "placement" | "role" => "nodes".to_owned(),
            _ if is_generic => setting.to_owned(),
            _ => format!("{}.{setting}", show::key(protocol)),
        };
        let reason = format!("{protocol} refuses it");
        let problem = self.about(descriptor, &key, reason, remedy);
        match fact(error, "value") {
            // A plug-in shows values in its own words, and may not know what is secret.
            Some(value) if !show::is_secret(&key, &value.into()) => {
                let cut: String = value.chars().take(80).collect();
                problem.with_value(cut)
            }
            _ => problem,
        }
    }

    /// What the reader of a plug-in's options said.
    fn unread_option(&self, descriptor: &Descriptor, section: &str, detail: &str) -> ConfigError {
        let mut quoted = detail.split('`').skip(1).step_by(2);
        let name = quoted.next().unwrap_or_default();
        let section = show::key(section);
        if !detail.starts_with("unknown field") || name.is_empty() {
            let reason = format!("its options cannot be read: {detail}");
            let remedy = "correct the option; its page says what it takes".to_owned();
            return self.about(descriptor, &section, reason, remedy);
        }
        let known: Vec<&str> = quoted.collect();
        let key = format!("{section}.{}", show::key(name));
        let (reason, remedy) = match nearest(name, known.iter().copied()) {
            Some(near) => (
                format!("unknown key; the nearest known key is `{near}`"),
                format!("write `{near}`, or remove the line"),
            ),
            None if known.is_empty() => (
                "unknown key".to_owned(),
                "remove the line: there are no options".to_owned(),
            ),
            None => (
                "unknown key".to_owned(),
                format!("remove the line; it takes {}", known.join(", ")),
            ),
        };
        self.about(descriptor, &key, reason, remedy)
    }

    fn about(
        &self,
        descriptor: &Descriptor,
        setting: &str,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let key = format!("keyspace.{}.{setting}", descriptor.name);
        if descriptor.name == CATALOGUE {
            let origin = self.origins.home.clone();
            let reason = format!("the framework's own keyspace: {}", reason.into());
            return ConfigError::new(origin, key, reason, remedy);
        }
        ConfigError::new(self.origin_near(&key), key, reason, remedy)
    }

    /// The origin of a key, or of what stands nearest above it; of the first file when the
    /// keyspace says nothing about it.
    fn origin_near(&self, key: &str) -> crate::error::Origin {
        let mut at = key;
        loop {
            if let Some(origin) = self.origins.by_key.get(at) {
                return origin.clone();
            }
            match at.rsplit_once('.') {
                Some((parent, _)) => at = parent,
                None => return self.origins.home.clone(),
            }
        }
    }
}

fn fact<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    let is_it = |(known, value): &'a (String, String)| (known == name).then_some(value.as_str());
    error.context().iter().find_map(is_it)
}
