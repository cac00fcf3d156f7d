//! Who a node is: what `format` writes once and every start reads.

use std::fs;
use std::io::Write;
use std::path::Path;

use repertoire_core::{
    Catalogue, ClusterId, Descriptor, Error, ErrorKind, Incarnation, Member, NodeId, Site,
    WriteOutcome,
};
use serde::{Deserialize, Serialize};

const IDENTITY: &str = "node.json";
const CATALOGUE: &str = "catalogue.json";

/// Version of the layout of a data folder.
pub const FOLDER_VERSION: u32 = 1;

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of the folder's layout.
    pub folder_version: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The cluster's name, as in its certificates.
    pub cluster_name: String,
    /// The node.
    pub node: NodeId,
    /// Its disk.
    pub incarnation: Incarnation,
    /// What its log files carry, where that is another: the disk went on under a new name after its
    /// peers had disowned it.
    #[serde(default)]
    pub log: Option<Incarnation>,
    /// Its failure domain.
    pub site: Site,
}

/// Writes a fresh identity into an empty (or absent) data folder.
///
/// # Errors
/// `ConfigInvalid` when the folder holds anything already or this user cannot write to it,
/// `StorageFailed` when the disk fails.
pub fn format_folder(data: &Path, identity: &Identity) -> Result<(), Error> {
    fs::create_dir_all(data).map_err(|e| failed("make", data, &e))?;
    let mut entries = fs::read_dir(data).map_err(|e| failed("list", data, &e))?;
    if entries.next().is_some() {
        return Err(Error::new(ErrorKind::ConfigInvalid, "format a data folder")
            .with("folder", data.display())
            .with(
                "detail",
                "it is not empty; a formatted node is never formatted again in place",
            ));
    }
    save_identity(data, identity)
}

/// Reads the identity of a formatted folder.
///
/// # Errors
/// `ConfigInvalid` when the folder was never formatted or belongs to a newer version; `Corrupted`
/// when the file does not parse.
pub fn read_identity(data: &Path) -> Result<Identity, Error> {
    let path = data.join(IDENTITY);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(ErrorKind::ConfigInvalid, "open a data folder")
                .with("folder", data.display())
                .with(
                    "detail",
                    "it was never formatted; run `repertoire format` first",
                ));
        }
        Err(error) => return Err(failed("read", &path, &error)),
    };
    let identity: Identity = serde_json::from_slice(&bytes).map_err(|e| {
        Error::new(ErrorKind::Corrupted, "open a data folder")
            .with("file", path.display())
            .with("detail", e)
    })?;
    if identity.folder_version > FOLDER_VERSION {
        return Err(Error::new(ErrorKind::ConfigInvalid, "open a data folder")
            .with("folder", data.display())
            .with("layout", identity.folder_version)
            .with("detail", "it was written by a newer version"));
    }
    Ok(identity)
}

/// Replaces the identity of a formatted folder.
///
/// # Errors
/// `StorageFailed`.
pub(crate) fn save_identity(data: &Path, identity: &Identity) -> Result<(), Error> {
    write_json(data, IDENTITY, identity)
}

/// The catalogue as this node knew it last, so that replicas start before keyspace 0 is readable.
#[derive(Serialize, Deserialize, Default)]
struct CachedCatalogue {
    keyspaces: Vec<Descriptor>,
    members: Vec<Member>,
}

/// Caches the catalogue.
///
/// # Errors
/// `StorageFailed`.
pub(crate) fn save_catalogue(data: &Path, catalogue: &Catalogue) -> Result<(), Error> {
    let cached = CachedCatalogue {
        keyspaces: catalogue.keyspaces().map(|d| (**d).clone()).collect(),
        members: catalogue.all_members().cloned().collect(),
    };
    write_json(data, CATALOGUE, &cached)
}

/// The cached catalogue; empty when there is none.
///
/// # Errors
/// `Corrupted` when it does not parse.
pub(crate) fn load_catalogue(data: &Path) -> Result<Catalogue, Error> {
    let cached: CachedCatalogue = read_json(data, CATALOGUE)?.unwrap_or_default();
    let mut catalogue = Catalogue::default();
    cached
        .keyspaces
        .into_iter()
        .for_each(|descriptor| catalogue.insert(descriptor));
    cached
        .members
        .into_iter()
        .for_each(|member| catalogue.insert_member(member));
    Ok(catalogue)
}

/// Reads a file of the folder; `None` when there is none.
///
/// # Errors
/// `Corrupted` when it does not parse, `StorageFailed` when it cannot be read.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    data: &Path,
    name: &str,
) -> Result<Option<T>, Error> {
    let path = data.join(name);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::new(ErrorKind::Corrupted, "read a data folder")
                .with("file", path.display())
                .with("detail", e)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", &path, &error)),
    }
}

/// Replaces a file of the folder.
///
/// # Errors
/// `StorageFailed`.
pub(crate) fn write_json<T: Serialize>(data: &Path, name: &str, value: &T) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    write_durably(data, name, &text)
}

/// Removes a file of the folder, if it is there.
///
/// # Errors
/// `StorageFailed`.
pub(crate) fn remove_durably(data: &Path, name: &str) -> Result<(), Error> {
    let path = data.join(name);
    let remove = || match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::File::open(data)?.sync_all(),
    };
    remove().map_err(|e| failed("change", &path, &e))
}

fn write_durably(data: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, temporary) = (data.join(name), data.join(format!("{name}.tmp")));
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(data)?.sync_all()
    };
    write().map_err(|e| failed("write", &path, &e))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind as Io;

    let is_choice = matches!(
        error.kind(),
        Io::PermissionDenied | Io::NotFound | Io::NotADirectory | Io::ReadOnlyFilesystem
    );
    let operation = format!("{what} a data folder");
    if is_choice {
        return Error::new(ErrorKind::ConfigInvalid, operation)
            .with("setting", "node.data")
            .with("path", path.display())
            .with("detail", error)
            .with("remedy", "choose a folder that this user can write to");
    }
    Error::new(ErrorKind::StorageFailed, operation)
        .with("path", path.display())
        .with("detail", error)
        .with_outcome(WriteOutcome::NotApplied)
}
