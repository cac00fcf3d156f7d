//! Texts under a rule: names, addresses, paths.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value as Json;

use super::Complaint;
use crate::error::Origin;
use crate::show;
use crate::tree::{Tree, Value};

/// Longest path and host name. Those of operating systems and of the DNS are shorter.
const LENGTH_MAX: usize = 4096;

/// Longest name of a plug-in or site, in characters.
const NAME_MAX: usize = 64;

/// What a text must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text {
    /// A label of a DNS name.
    Label,
    /// The name of a site.
    Site,
    /// The name of a plug-in.
    Plugin,
    /// `host:port`.
    Address,
    /// An IP address and port.
    Socket,
    /// A path.
    Path,
}

impl Text {
    pub(super) const fn table_example(self) -> &'static str {
        match self {
            Self::Address | Self::Socket => "{ 1 = \"10.0.0.1:7401\", 2 = \"10.0.0.2:7401\" }",
            Self::Label | Self::Site | Self::Plugin | Self::Path => {
                "{ 1 = \"paris\", 2 = \"tokyo\" }"
            }
        }
    }
}

pub(super) fn check(rule: Text, tree: &Tree) -> Result<Json, Complaint> {
    let Value::Text(text) = &tree.value else {
        return Err(Complaint::mistyped(tree, "write a text in quotes"));
    };
    if show::is_private_key(text) {
        let reason = "it holds a private key instead of the path of one";
        let remedy = "write the key to a file of mode 0600, name that file, and replace the key: \
                      whoever read this configuration has it";
        return Err(Complaint::new(reason, remedy));
    }
    if text.is_empty() || text.len() > LENGTH_MAX || text.chars().any(char::is_control) {
        let reason = "it is empty, longer than 4096 bytes, or has control characters";
        return Err(Complaint::new(reason, "write a plain text"));
    }
    match rule {
        Text::Label => label(text),
        Text::Site => name(text),
        Text::Plugin => plugin(text),
        Text::Address => address(text),
        Text::Socket => socket(text),
        Text::Path => return Ok(Json::String(resolved(text, &tree.source.origin))),
    }?;
    Ok(Json::String(text.clone()))
}

fn label(text: &str) -> Result<(), Complaint> {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = text.len() <= 63
        && text.chars().all(|c| ends(c) || c == '-')
        && text.starts_with(ends)
        && text.ends_with(ends);
    let wrong = || {
        Complaint::new(
            "it is part of the names in certificates, and cannot be one",
            "use 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
        )
    };
    is_label.then_some(()).ok_or_else(wrong)
}

fn name(text: &str) -> Result<(), Complaint> {
    let fits = text.chars().count() <= NAME_MAX;
    let wrong = || Complaint::new("it is too long", "use at most 64 characters");
    fits.then_some(()).ok_or_else(wrong)
}

fn plugin(text: &str) -> Result<(), Complaint> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_/.".contains(c);
    let fits = text.len() <= NAME_MAX && text.chars().all(allowed);
    let wrong = || {
        let remedy = "use a name such as \"single-leader\"";
        Complaint::new("it cannot be the name of a plug-in", remedy)
    };
    fits.then_some(()).ok_or_else(wrong)
}

fn address(text: &str) -> Result<(), Complaint> {
    let wrong = |reason: &str| Err(Complaint::new(reason, "write it like \"10.0.0.1:7401\""));
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong("the port is missing");
    };
    match port.parse::<u16>() {
        Err(_) => return wrong("the port is not a number from 1 to 65535"),
        Ok(0) => return wrong("nobody can reach port 0"),
        Ok(_) => {}
    }
    let is_ipv6 = host.starts_with('[') && text.parse::<SocketAddr>().is_ok();
    let host_char = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if is_ipv6 || (!host.is_empty() && host.chars().all(host_char)) {
        return Ok(());
    }
    wrong("the host is neither a name nor an IP address (IPv6 stands in brackets)")
}

fn socket(text: &str) -> Result<(), Complaint> {
    let remedy = "write an IP address and port, such as \"127.0.0.1:7401\" or \"[::]:7401\"";
    match text.parse::<SocketAddr>() {
        Err(_) => Err(Complaint::new("it is not an IP address and port", remedy)),
        Ok(address) if address.port() == 0 => {
            let reason = "port 0 means any free port, where no other node would find this one";
            Err(Complaint::new(reason, remedy))
        }
        Ok(_) => Ok(()),
    }
}

/// A relative path in a file starts at that file; elsewhere, at the working folder.
fn resolved(text: &str, origin: &Origin) -> String {
    match origin {
        Origin::File(file) => {
            let folder = file.parent().unwrap_or(Path::new(""));
            folder.join(text).to_string_lossy().into_owned()
        }
        Origin::Default | Origin::Environment(_) | Origin::Flag(_) => text.to_owned(),
    }
}
