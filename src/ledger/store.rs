//! The ledger's file.
//!
//! Written whole: to a temporary file, synced, renamed, the directory synced; the
//! state before is kept beside it. Each file ends with the digest of its contents,
//! so that a torn write is noticed and the state before is read instead.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{FORMAT, Ledger};
use crate::config::values::hex;

/// What can go wrong with the ledger's file.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("{}: {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// Written by a newer agent. It is kept as it is.
    #[error("{} was written by a newer kaapana-agent (format {found}, this one reads up to {FORMAT}): install that version again", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Another agent works with it.
    #[error("{} is in use; is another kaapana-agent running? systemctl status kaapana-agent", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// Neither the file nor the state before it can be read. Both are kept.
    #[error("{} and the state before it are damaged; they are kept: move them away to start without memory", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The ledger's file.
#[derive(Debug, Clone)]
pub struct LedgerStore {
    directory: PathBuf,
}

impl LedgerStore {
    /// A ledger in this directory (mode 0700).
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf() }
    }

    /// Takes the directory for this process, until what is returned is dropped or the
    /// process ends, however it ends.
    ///
    /// # Errors
    ///
    /// When another process has it, or the lock's file cannot be made.
    pub fn lock(&self) -> Result<std::fs::File, LedgerError> {
        let path = self.directory.join("lock");
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|source| LedgerError::Io { path, what: "creating the lock", source })?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| LedgerError::InUse { directory: self.directory.clone() })?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.directory.join("ledger.json")
    }

    fn path_before(&self) -> PathBuf {
        self.directory.join("ledger.json.before")
    }

    /// Reads it. No file at all is a new ledger. Returns a sentence when the state
    /// before had to be read.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is of a newer format, or both states are damaged.
    /// Nothing is deleted then.
    pub fn load(&self) -> Result<(Ledger, Option<String>), LedgerError> {
        let (path, before) = (self.path(), self.path_before());
        let newest = read_optional(&path)?;
        if let Some(bytes) = &newest
            && let Some(ledger) = parse(&path, bytes)?
        {
            return Ok((ledger, None));
        }
        match read_optional(&before)? {
            Some(bytes) => match parse(&before, &bytes)? {
                Some(ledger) => {
                    let note = format!("{} was damaged or missing, the state before it was read", path.display());
                    Ok((ledger, Some(note)))
                }
                None => Err(LedgerError::Damaged { path }),
            },
            None if newest.is_none() => Ok((Ledger::default(), None)),
            // The very first write was torn: nothing had been accepted before it.
            None => Ok((Ledger::default(), Some(format!("{} was damaged and there was no state before it", path.display())))),
        }
    }

    /// Writes it; when this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// When the disk does not take it. The state before stays readable.
    pub fn save(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let path = self.path();
        let fail = |what: &'static str| {
            let path = path.clone();
            move |source: std::io::Error| LedgerError::Io { path, what, source }
        };
        let body = serde_json::to_vec(ledger).map_err(std::io::Error::other).map_err(fail("encoding"))?;
        let temporary = self.directory.join("ledger.json.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(fail("creating a new file"))?;
        file.write_all(&body)
            .and_then(|()| file.write_all(format!("\n{}\n", hex(&Sha256::digest(&body))).as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(fail("writing"))?;
        crate::fault::point("written", "ledger");
        // The newest good state becomes the one before, without a moment with neither.
        if path.exists() {
            let link = self.directory.join("ledger.json.link");
            std::fs::remove_file(&link).ok();
            std::fs::hard_link(&path, &link)
                .and_then(|()| std::fs::rename(&link, self.path_before()))
                .map_err(fail("keeping the state before"))?;
        }
        crate::fault::point("kept", "ledger");
        std::fs::rename(&temporary, &path).map_err(fail("renaming"))?;
        crate::fault::point("renamed", "ledger");
        std::fs::File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(fail("syncing the directory"))
    }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { path: path.to_path_buf(), what: "reading", source }),
    }
}

/// `None`: damaged.
fn parse(path: &Path, bytes: &[u8]) -> Result<Option<Ledger>, LedgerError> {
    let Some(bytes) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
    let (body, digest) = (&bytes[..at], &bytes[at + 1..]);
    if hex(&Sha256::digest(body)).as_bytes() != digest {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice::<Format>(body) {
        Ok(Format { format }) if format > FORMAT => return Err(LedgerError::Newer { path: path.to_path_buf(), found: format }),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    Ok(serde_json::from_slice(body).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_at_every_byte_it_is_read_as_the_state_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        let before = Ledger { generation: 1, ..Ledger::default() };
        let newest = Ledger { generation: 2, ..Ledger::default() };
        store.save(&before).unwrap();
        store.save(&newest).unwrap();
        let whole = std::fs::read(store.path()).unwrap();
        for length in 0..whole.len() {
            std::fs::write(store.path(), &whole[..length]).unwrap();
            let (read, note) = store.load().unwrap();
            assert_eq!(read, before, "at {length}");
            assert!(note.is_some());
        }
        std::fs::write(store.path(), &whole).unwrap();
        assert_eq!(store.load().unwrap().0, newest);
    }

    #[test]
    fn a_newer_format_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        store.save(&Ledger { format: FORMAT + 1, ..Ledger::default() }).unwrap();
        let kept = std::fs::read(store.path()).unwrap();
        let error = store.load().unwrap_err();
        assert!(error.to_string().contains("newer kaapana-agent (format 2"), "{error}");
        assert_eq!(std::fs::read(store.path()).unwrap(), kept);
    }

    #[test]
    fn one_agent_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        let lock = store.lock().unwrap();
        assert!(matches!(store.lock(), Err(LedgerError::InUse { .. })));
        drop(lock);
        store.lock().unwrap();
    }

    #[test]
    fn its_file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        store.save(&Ledger::default()).unwrap();
        assert_eq!(std::fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
