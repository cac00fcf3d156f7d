//! From a configuration to the options of a node.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use repertoire::certs::{TlsFiles, TlsIdentity};
use repertoire::core::{Error, ErrorKind, Registry, TokenKeys};
use repertoire::runtime::{FenceCommand, FenceHook};
use repertoire::{LogOptions, Mtu, NodeOptions, OutboxBudgets, QuicSettings};
use repertoire_config::{Config, TransportConfig};

use crate::failure::Failure;

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigFiles {
    /// The configuration; a later file is stronger than an earlier one.
    #[arg(long, value_name = "FILE", required = true, value_delimiter = ',')]
    pub(crate) config: Vec<PathBuf>,
    /// Another value for a setting, as in transport.mtu=1400.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Another number for this node.
    #[arg(long, value_name = "ID")]
    pub(crate) node_id: Option<String>,
    /// Another failure domain for this node.
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// Another address to listen at.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<String>,
    /// Another data folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<String>,
}

impl ConfigFiles {
    /// Loads all layers and checks them against the plug-ins.
    pub(crate) fn load(&self, registry: &Registry) -> Result<Config, Failure> {
        let flags = [
            ("node-id", &self.node_id),
            ("site", &self.site),
            ("listen", &self.listen),
            ("data", &self.data),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(flag, value)| Some((flag.to_owned(), value.clone()?)));
        let overrides: Vec<_> = self.set.iter().cloned().chain(flags).collect();
        let environment = repertoire_config::environment();
        let config = Config::load(&self.config, &environment, &overrides)?;
        config.validate(registry)?;
        Ok(config)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// The options of the node that a configuration describes.
///
/// # Errors
/// `ConfigInvalid` when the certificates or the keys of tokens cannot be used.
pub(crate) fn node_options(config: &Config, registry: Arc<Registry>) -> Result<NodeOptions, Error> {
    let tls = TlsIdentity::load(&TlsFiles {
        ca: config.tls.ca.clone(),
        cert: config.tls.cert.clone(),
        key: config.tls.key.clone(),
    })?;
    let mut options = NodeOptions::new(&config.node.data, config.node.listen, tls);
    let nodes = config.cluster.nodes.iter();
    let peers = nodes.filter(|(id, _)| **id != config.node.id);
    options.peers = peers.map(|(id, address)| (*id, address.clone())).collect();
    options.keyspaces = config.descriptors();
    options.members = config.members();
    options.registry = registry;
    options.token_keys = token_keys(config.tls.token_key_file())?;
    options.fence = config.node.fence_command.as_ref().map(|program| {
        let command = FenceCommand {
            program: program.display().to_string(),
            args: Vec::new(),
            timeout: Duration::from_millis(config.node.fence_timeout_ms),
        };
        Arc::new(command) as Arc<dyn FenceHook>
    });
    options.log = LogOptions {
        segment_bytes: config.log.segment_bytes,
        capacity_bytes: config.log.capacity_bytes.unwrap_or(u64::MAX),
        ..LogOptions::new(0)
    };
    options.quic = quic_settings(&config.transport);
    options.config_digest = Some(config.config_digest());
    options.request_bytes_max = size(config.limits.request_bytes_max);
    options.session_bytes_max = size(config.limits.session_bytes_max);
    options.peer_bytes_max = size(config.limits.peer_bytes_max);
    Ok(options)
}

fn token_keys(file: Option<PathBuf>) -> Result<Option<TokenKeys>, Error> {
    let Some(file) = file else {
        return Ok(None);
    };
    let named = |error: Error| error.with("file", file.display());
    let text = std::fs::read_to_string(&file).map_err(|e| {
        let error = Error::new(ErrorKind::ConfigInvalid, "read the keys of session tokens");
        named(error.with("detail", e))
    })?;
    TokenKeys::parse(&text).map(Some).map_err(named)
}

fn quic_settings(config: &TransportConfig) -> QuicSettings {
    QuicSettings {
        mtu: match config.mtu {
            repertoire_config::Mtu::Auto => Mtu::Auto,
            repertoire_config::Mtu::Fixed(bytes) => Mtu::Fixed(bytes),
        },
        segmentation_offload: config.segmentation_offload,
        stream_window: config.stream_window_bytes,
        socket_buffer: size(config.socket_buffer_bytes.into()),
        idle_timeout: Duration::from_millis(config.idle_timeout_ms),
        keep_alive: Duration::from_millis(config.keep_alive_interval_ms),
        handshake_timeout: Duration::from_millis(config.handshake_timeout_ms),
        hello_timeout: Duration::from_millis(config.hello_timeout_ms),
        reconnect_min: Duration::from_millis(config.reconnect_ms_min),
        reconnect_max: Duration::from_millis(config.reconnect_ms_max),
        outbox: OutboxBudgets {
            control: size(config.outbox_control_bytes_max),
            replication: size(config.outbox_replication_bytes_max),
            bulk: size(config.outbox_bulk_bytes_max),
        },
        retry_from: size(config.retry_from.into()),
        handshakes_max: size(config.handshakes_max.into()),
        clients_max: size(config.clients_max.into()),
        clients_per_address_max: size(config.clients_per_address_max.into()),
        session_credit: config.session_credit_bytes,
        session_outbox: size(config.session_outbox_bytes_max),
        ..QuicSettings::default()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
