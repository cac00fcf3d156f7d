//! What a configuration names on this machine.

use std::path::Path;

use crate::config::Config;
use crate::error::{ConfigError, ConfigErrors};
use crate::show;

impl Config {
    /// Checks that the files of `[tls]` exist and can be read, and that the private key is its
    /// owner's alone. Apart from [`load`](Self::load), so that a configuration can be checked on
    /// another machine than its own.
    ///
    /// # Errors
    /// All problems at once.
    pub fn check_files(&self) -> Result<(), ConfigErrors> {
        let files = [
            ("tls.ca", &self.tls.ca),
            ("tls.cert", &self.tls.cert),
            ("tls.key", &self.tls.key),
        ];
        let token_key = self.tls.token_key_file();
        let files = files
            .into_iter()
            .chain(token_key.iter().map(|path| ("tls.token_key", path)));
        let mut problems = Vec::new();
        for (key, path) in files {
            let found = check_file(path).and_then(|()| match key {
                "tls.key" | "tls.token_key" => check_private(path),
                _ => Ok(()),
            });
            if let Err((reason, remedy)) = found {
                let shown = show::short(key, &path.to_string_lossy().into());
                let problem = ConfigError::new(self.origin_of(key), key, reason, remedy);
                problems.push(problem.with_value(shown));
            }
        }
        ConfigErrors::unless_empty(problems, ())
    }
}

fn check_file(path: &Path) -> Result<(), (String, String)> {
    let remedy = "name a file that exists and that this user may read; `repertoire cert` makes one";
    let unreadable = |e: std::io::Error| (format!("it cannot be read: {e}"), remedy.to_owned());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() {
        return Ok(());
    }
    Err(("it is not a file".to_owned(), remedy.to_owned()))
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), (String, String)> {
    use std::os::unix::fs::PermissionsExt as _;

    let Ok(metadata) = std::fs::metadata(path) else {
        // It was there a moment ago; whoever reads it next will say so.
        return Ok(());
    };
    let mode = metadata.permissions().mode() & 0o777;
    let of_others = mode & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    let reason = format!("others than its owner may use the private key (mode {mode:04o})");
    let remedy = format!("chmod 600 {}", path.display());
    Err((reason, remedy))
}

#[cfg(not(unix))]
fn check_private(_path: &Path) -> Result<(), (String, String)> {
    Ok(())
}
