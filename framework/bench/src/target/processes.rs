//! Nodes as processes of their own: the `repertoire` command, started once per node.

mod files;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repertoire_client::{Client, Keyspace, TlsFiles, TlsIdentity};
use repertoire_core::{Acks, Error, ErrorKind, NodeId};
use repertoire_transport_quic::QuicSettings;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{ASYNC_NAME, NAME};
use crate::BenchOptions;

/// Longest wait for the nodes to know the keyspace.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the nodes log, in the words of the command's `--log`.
const LOG: &str = "REPERTOIRE_LOG";

/// See the module's documentation.
pub(crate) struct Processes {
    folder: PathBuf,
    program: PathBuf,
    /// Gone before their folder is.
    children: Children,
    /// Removed in the end, unless the folder was named.
    _temporary: Option<tempfile::TempDir>,
    client: Client,
    keyspace: Keyspace,
}

/// Killed with whoever holds them.
struct Children(Vec<Option<Child>>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in self.0.iter_mut().flatten() {
            // One that has ended already is what was wanted.
            let _ended = child.kill();
            let _waited = child.wait();
        }
    }
}

impl Processes {
    pub(crate) async fn start(options: &BenchOptions, nodes: u64) -> Result<Self, Error> {
        let temporary = match options.data {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|e| failed("make a folder", &e))?),
        };
        let folder = match (&options.data, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(folder)) => folder.path().to_path_buf(),
            (None, None) => std::env::temp_dir(),
        };
        std::fs::create_dir_all(&folder).map_err(|e| failed("make a folder", &e))?;
        let program = match &options.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(|e| failed("find this program", &e))?,
        };
        let addresses = files::write(&folder, options, nodes)?;
        let mut children = Children(Vec::new());
        for id in 1..=nodes {
            run(&program, &folder, id)?;
            children.0.push(Some(serve(&program, &folder, id)?));
        }
        let client = connect(options, &folder, &addresses).await?;
        let keyspace = known(&client, NAME).await?;
        Ok(Self {
            _temporary: temporary,
            folder,
            program,
            children,
            client,
            keyspace,
        })
    }

    pub(crate) const fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// The second keyspace, of nodes that were started with one.
    pub(crate) async fn async_keyspace(&self) -> Result<Keyspace, Error> {
        let keyspace = known(&self.client, ASYNC_NAME).await?;
        Ok(keyspace.acks(Acks::Async))
    }

    pub(crate) fn follower(&self) -> Keyspace {
        let last = NodeId(self.children.0.len() as u64);
        self.keyspace.at(last)
    }

    pub(crate) async fn syncs(&self) -> u64 {
        let mut syncs = 0;
        for id in 1..=self.children.0.len() as u64 {
            let status = self.client.status(NodeId(id)).await.unwrap_or_default();
            syncs += super::syncs_in(&status);
        }
        syncs
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, id: u64) {
        if let Some(mut child) = self.child(id).and_then(Option::take) {
            let _ended = child.kill();
            let _waited = child.wait();
        }
    }

    /// Has the leader of a keyspace hand it over.
    pub(crate) async fn transfer(&self, keyspace: &str, from: u64, to: u64) -> Result<(), Error> {
        let wish = serde_json::json!({"keyspace": keyspace, "to": to});
        let answer = self.client.admin(NodeId(from), "transfer", &wish).await;
        answer.map(|_| ())
    }

    /// The keys of the writes that a node has discarded from a keyspace and keeps.
    pub(crate) async fn discarded(&self, keyspace: &str, id: u64) -> Result<Vec<String>, Error> {
        let (mut keys, mut after) = (Vec::new(), Value::Null);
        loop {
            let call = serde_json::json!({"keyspace": keyspace, "after": after});
            let page = self.client.admin(NodeId(id), "discarded", &call).await?;
            let writes = page.get("writes").and_then(Value::as_array);
            for write in writes.into_iter().flatten() {
                let named = write.get("keys").and_then(Value::as_array);
                let texts = named.into_iter().flatten().filter_map(Value::as_str);
                keys.extend(texts.map(str::to_owned));
                after = write.get("position").cloned().unwrap_or_default();
            }
            if page.get("more").and_then(Value::as_bool) != Some(true) {
                return Ok(keys);
            }
        }
    }

    /// Holds a node where it stands, sockets open, until it is [released](Self::release).
    pub(crate) fn hold(&self, id: u64) {
        self.signal(id, Signal::STOP);
    }

    /// Lets a node go on that was held.
    pub(crate) fn release(&self, id: u64) {
        self.signal(id, Signal::CONT);
    }

    fn signal(&self, id: u64, signal: Signal) {
        let pid = self.pid(id).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // A child of ours that was not waited for: its number is nobody else's.
            let _sent = kill_process(pid, signal);
        }
    }

    /// Starts a node that was killed.
    pub(crate) fn restart(&mut self, id: u64) -> Result<(), Error> {
        let child = serve(&self.program, &self.folder, id)?;
        if let Some(place) = self.child(id) {
            *place = Some(child);
        }
        Ok(())
    }

    fn child(&mut self, id: u64) -> Option<&mut Option<Child>> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.children.0.get_mut(index)
    }

    /// What a node says of itself.
    pub(crate) async fn status(&self, id: u64) -> Result<Value, Error> {
        self.client.status(NodeId(id)).await
    }

    pub(crate) fn pid(&self, id: u64) -> Option<u32> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.children.0.get(index)?.as_ref().map(Child::id)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.0.iter().flatten().map(Child::id).collect()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn stop(self) {
        drop(self.keyspace);
        drop(self.client);
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::StorageFailed, what).with("detail", error)
}

fn command(program: &Path, folder: &Path, verb: &str, id: u64) -> Command {
    let mut command = Command::new(program);
    let config = files::config_name(id);
    command
        .current_dir(folder)
        .args([verb, "--config", &config, "--output", "json"])
        .stdin(Stdio::null());
    command
}

/// Formats a node's folder.
fn run(program: &Path, folder: &Path, id: u64) -> Result<(), Error> {
    let output = command(program, folder, "format", id)
        .output()
        .map_err(|e| failed("run a node", &e).with("program", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(failed("format a node", &told))
}

/// Starts a node and waits until it listens.
fn serve(program: &Path, folder: &Path, id: u64) -> Result<Child, Error> {
    let mut serve = command(program, folder, "serve", id);
    if std::env::var_os(LOG).is_none() {
        // Nodes are killed on purpose: what the others think of it is no news.
        serve.env(LOG, "error");
    }
    let mut child = serve
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed("run a node", &e).with("program", program.display()))?;
    let mut line = String::new();
    let told = child.stdout.take().map(BufReader::new);
    let read = told.map(|mut told| told.read_line(&mut line));
    if matches!(read, Some(Ok(read)) if read > 0) {
        return Ok(child);
    }
    let _ended = child.kill();
    let _waited = child.wait();
    Err(failed("start a node", &"it ended before it listened").with("node", id))
}

async fn connect(
    options: &BenchOptions,
    folder: &Path,
    addresses: &[String],
) -> Result<Client, Error> {
    let tls = TlsIdentity::load(&TlsFiles {
        ca: folder.join(files::AUTHORITY),
        cert: folder.join(files::CLIENT_CERT),
        key: folder.join(files::CLIENT_KEY),
    })?;
    let mut settings = QuicSettings::default();
    if let Some(mtu) = options.mtu {
        settings.mtu = repertoire_transport_quic::Mtu::Fixed(mtu);
    }
    let mut builder = Client::builder()
        .tls(tls)
        .network(settings)
        .deadline(Duration::from_secs(30))
        .acks(options.acks());
    for address in addresses {
        builder = builder.address(address);
    }
    builder.build().await
}

/// The keyspace, once its leader takes writes.
async fn known(client: &Client, name: &str) -> Result<Keyspace, Error> {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            match client.keyspace(name).await {
                Ok(keyspace) => break keyspace,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let late = || Error::new(ErrorKind::Timeout, "wait for the keyspace").with("keyspace", name);
    let keyspace = found.await.map_err(|_| late())?;
    keyspace.put(b"bench-is-ready", b"").await?;
    Ok(keyspace)
}
