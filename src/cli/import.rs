//! `kaapanactl import`: reads the file, prints or installs the fragment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::exit;
use crate::config::fragments::MAX_FILE_BYTES;
use crate::config::import::{FILE_NAME, Import, import, report};
use crate::config::{ConfigError, Directories, Fragments, keys, validate};

/// Runs the command and returns the exit status.
#[must_use]
pub fn run(file: &Path, write: bool, directory: Option<&Path>) -> u8 {
    let (name, read) = if file == Path::new("-") {
        ("standard input".to_owned(), read_some(io::stdin().lock()))
    } else {
        (file.display().to_string(), File::open(file).and_then(read_some))
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("kaapanactl: {name} cannot be read: {error}");
            return exit::FAILED;
        }
    };
    let short = file.file_name().filter(|_| file != Path::new("-")).map_or(name.clone(), |it| it.to_string_lossy().into_owned());
    let imported = match import(&short, &bytes) {
        Ok(imported) => imported,
        Err(error) => {
            eprintln!("kaapanactl: {name}: {error}");
            return exit::FAILED;
        }
    };
    eprint!("{}", report::report(&name, &imported));
    if write {
        return install(&imported, directory);
    }
    if let Err(error) = io::stdout().write_all(imported.fragment.as_bytes()).and_then(|()| io::stdout().flush()) {
        // Half a fragment is worse than none: it would be valid, with defaults for the rest.
        eprintln!("kaapanactl: the fragment could not be written as a whole: {error}");
        return exit::FAILED;
    }
    if imported.holds_passwords {
        warn_about_mode();
    }
    if imported.is_complete() { exit::DONE } else { exit::FAILED }
}

/// A shell makes the file of a redirection readable for everybody.
fn warn_about_mode() {
    let Ok(stat) = rustix::fs::fstat(io::stdout()) else { return };
    let mode = stat.st_mode & 0o777;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() && mode & 0o077 != 0 {
        eprintln!(
            "The fragment holds passwords, and the file it was written to is open to others (mode {mode:04o}): chmod 0600 it, \
             and say umask 077 before"
        );
    }
}

/// At most a byte more than is read anyway.
fn read_some(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The agent acts on what is installed, so nothing is that is not whole and valid.
fn install(imported: &Import, directory: Option<&Path>) -> u8 {
    let own = Directories::below(Path::new("/"));
    let is_own = directory.is_none_or(|directory| own.paths.iter().any(|path| path == directory));
    let directories = directory.map_or(own, Directories::only);
    let target = directories.paths.last().cloned().unwrap_or_default().join(FILE_NAME);
    if imported.mapped.is_empty() {
        eprintln!("nothing was written: there is nothing to write");
        return exit::FAILED;
    }
    if let Err(reasons) = fits(imported, &directories, &target) {
        eprintln!("nothing was written to {}:", target.display());
        reasons.iter().for_each(|reason| eprintln!("  {reason}"));
        eprintln!("Without --write the fragment goes to standard output, to be completed and put into place by hand.");
        return exit::FAILED;
    }
    match write_new(&target, &imported.fragment) {
        Ok(synced) => {
            eprintln!("wrote {} (mode 0600)", target.display());
            if let Err(error) = synced {
                eprintln!("It is in place, but the directory could not be synced, so a power cut may undo it: {error}");
            }
            if is_own {
                eprintln!(
                    "The agent reads it by itself a few seconds after the last write, and deploys when nothing holds it.\n\
                     See what it does or would do: kaapanactl plan. Hold it: kaapanactl pause REASON"
                );
            } else {
                eprintln!("The agent acts on it only when this is one of its directories");
            }
            exit::DONE
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            eprintln!("nothing was written: {}", exists(&target));
            exit::FAILED
        }
        Err(error) => {
            eprintln!("kaapanactl: {} cannot be written: {error}", target.display());
            exit::FAILED
        }
    }
}

fn exists(target: &Path) -> String {
    format!(
        "{} exists already and is not overwritten; remove it, or redirect standard output to a file of another name",
        target.display()
    )
}

/// Would the configuration be whole and valid with the fragment in it?
fn fits(imported: &Import, directories: &Directories, target: &Path) -> Result<(), Vec<String>> {
    if target.symlink_metadata().is_ok() {
        return Err(vec![exists(target)]);
    }
    let told = |error: ConfigError| error.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let fragments = Fragments::read_with(directories, Some((FILE_NAME, &imported.fragment))).map_err(told)?;
    // What another fragment or a credential says needs not come from the script.
    let said = |key: &str| {
        let credential = directories.credentials.files.as_ref().map(|folder| folder.join(key));
        fragments.is_set(key)
            || fragments.is_set(&format!("{key}_file"))
            || (keys::find(key).is_some_and(|key| key.secret) && credential.is_some_and(|file| file.is_file()))
    };
    let not_read = imported.unread.iter().map(|one| format!("not read: {one}"));
    let missing = imported
        .unmapped
        .iter()
        .filter(|one| one.key.is_none_or(|key| !said(key)))
        .map(|one| format!("not carried over: {}", report::unmapped(one)));
    let missing: Vec<String> = not_read.chain(missing).collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    validate(&fragments).map(|_| ()).map_err(told)
}

/// Writes a file that is whole when it gets its name, and never over another one. Within,
/// whether a power cut would leave it in place.
fn write_new(target: &Path, text: &str) -> io::Result<io::Result<()>> {
    let directory = target.parent().unwrap_or(Path::new("."));
    // A dot-file is no fragment.
    let temporary: PathBuf = directory.join(format!(".{FILE_NAME}.{}.new", std::process::id()));
    // Left by a process that was killed and had the same number.
    std::fs::remove_file(&temporary).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| rename_new(&temporary, target));
    if written.is_err() {
        std::fs::remove_file(&temporary).ok();
    }
    written?;
    Ok(File::open(directory).and_then(|directory| directory.sync_all()))
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows it; a link does not replace either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => other.map_err(io::Error::from),
    }
}
