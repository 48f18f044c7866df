//! Passwords that stand in no fragment: credentials that systemd passes to the service, and
//! files of `/etc/kaapana/credentials`. Each is called like the key it is for, such as
//! `registry.password`.
//!
//! What a person wrote into a fragment counts before both, and a credential of systemd
//! before a file, as in systemd's own programs.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::fragments::nearest_among;
use super::keys;

/// The longest password file that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// The folders of passwords that stand in no fragment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialFolders {
    /// What systemd passes to the service: its `$CREDENTIALS_DIRECTORY`.
    pub systemd: Option<PathBuf>,
    /// The administrator's, `/etc/kaapana/credentials`.
    pub files: Option<PathBuf>,
}

/// A password that stands in no fragment.
pub(super) struct Credential {
    /// The key it is for.
    pub key: &'static str,
    /// Its file.
    pub file: PathBuf,
    /// Who sees to it that nobody else reads the file.
    pub guard: Guard,
}

/// How a file with a password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// systemd keeps it.
    Systemd,
    /// A file of the credentials' folder: root's, and private.
    Folder,
    /// A file that a key names: private.
    Named,
}

/// What the folders hold.
#[derive(Default)]
pub(super) struct Listing {
    /// By key and weight, the strongest first.
    pub credentials: Vec<Credential>,
    /// Files whose name is no key of a password.
    pub strangers: Vec<PathBuf>,
}

/// Is this directory entry meant to be a credential? Editors' files are not.
pub(super) fn is_credential_name(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !bytes.starts_with(b".") && !bytes.starts_with(b"#") && !bytes.ends_with(b"~")
}

impl CredentialFolders {
    /// Looks what is there; reads nothing yet. A folder that does not exist is empty.
    pub(super) fn list(&self) -> Result<Listing, Problem> {
        let mut listing = Listing::default();
        for (folder, guard) in [(&self.systemd, Guard::Systemd), (&self.files, Guard::Folder)] {
            let Some(folder) = folder else { continue };
            let mut names = match names(folder) {
                Ok(names) => names,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(of_file(folder, (format!("cannot be listed: {error}"), None))),
            };
            names.sort();
            for name in names.iter().filter(|name| is_credential_name(name)) {
                let file = folder.join(name);
                match keys::KEYS.iter().find(|key| key.secret && OsStr::new(key.path) == name) {
                    Some(key) => listing.credentials.push(Credential { key: key.path, file, guard }),
                    None => listing.strangers.push(file),
                }
            }
        }
        Ok(listing)
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// A problem of a file that is called like its key.
pub(super) fn of_file(file: &Path, (message, advice): (String, Option<String>)) -> Problem {
    Problem { file: Some(file.to_path_buf()), line: 0, column: 0, key: String::new(), message, advice }
}

/// The key of a password that a file's name was probably meant to be.
pub(super) fn meant(name: &str) -> String {
    let secrets = || keys::KEYS.iter().filter(|key| key.secret);
    // "registry" and "minio" are no small mistakes of spelling, and clear all the same.
    let by_part = secrets().find(|key| key.path.split('.').any(|part| part == name)).map(|key| key.path);
    match by_part.or_else(|| nearest_among(name, |key| key.secret)) {
        Some(key) => format!("did you mean {key}?"),
        None => format!("expected one of {}", secrets().map(|key| key.path).collect::<Vec<_>>().join(", ")),
    }
}

/// Reads a password. The error is a message without the file's name, and advice.
pub(super) fn read_password(path: &Path, guard: Guard) -> Result<String, (String, Option<String>)> {
    let unreadable = |error: std::io::Error| (format!("cannot be read: {error}"), None);
    let irregular = || ("is not a regular file".to_owned(), None);
    // Opening a FIFO would wait for a writer: look before opening, and never wait.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(irregular());
    }
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(unreadable)?;
    // Of what was opened: the name may mean another file by now.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    let own = [0, rustix::process::geteuid().as_raw()];
    if guard == Guard::Folder && !own.contains(&metadata.uid()) {
        return Err((
            format!("belongs to user {}, expected root", metadata.uid()),
            Some(format!("chown root: {}", path.display())),
        ));
    }
    let mode = metadata.mode() & 0o777;
    if guard != Guard::Systemd && mode & 0o077 != 0 {
        let how = if mode & 0o044 == 0 { "open to" } else { "readable by" };
        return Err((format!("is {how} others (mode {mode:04o})"), Some(format!("chmod 0600 {}", path.display()))));
    }
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    if metadata.len() > MAX_BYTES || text.len() as u64 > MAX_BYTES {
        return Err((format!("is longer than {MAX_BYTES} bytes"), Some("it holds the password alone".into())));
    }
    read.map_err(unreadable)?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(("is empty".into(), Some("write the password into it".into())));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
