//! Watches the configuration directories, and the folder of passwords beside them, and says
//! when they changed.
//!
//! Editors replace files by rename and write in pieces, so a change is only
//! announced; the loop waits for the settle time before it reads. Directories
//! that do not exist yet are awaited through their nearest existing parent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::credentials::is_credential_name;
use super::fragments::{Directories, is_fragment_name};

/// A running watch; dropping it ends it.
pub struct ConfigWatch {
    watcher: RecommendedWatcher,
    directories: Directories,
    watched: Vec<PathBuf>,
}

impl ConfigWatch {
    /// Starts watching; each change that may matter sends `()`.
    ///
    /// # Errors
    ///
    /// When inotify has no instance left (`fs.inotify.max_user_instances`).
    pub fn start(directories: Directories, changed: mpsc::Sender<()>) -> notify::Result<Self> {
        let of_interest = directories.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = match &event {
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| concerns(&of_interest, path))
                }
                // An overflow of the queue: something changed, nobody knows what.
                Err(_) => true,
            };
            if matters {
                // A full channel already holds a wake-up.
                changed.try_send(()).ok();
            }
        })?;
        let mut watch = Self { watcher, directories, watched: Vec::new() };
        watch.follow();
        Ok(watch)
    }

    /// Watches what exists now; call it after each change, since a directory may
    /// have appeared or been replaced.
    pub fn follow(&mut self) {
        for path in std::mem::take(&mut self.watched) {
            drop(self.watcher.unwatch(&path));
        }
        // What appears in a directory before it is watched wakes nobody: it is looked for
        // again until nothing new is there.
        loop {
            let folders = self.directories.paths.iter().chain(&self.directories.credentials.files);
            let found: Vec<PathBuf> =
                folders.filter_map(|path| nearest_existing(path)).filter(|path| !self.watched.contains(path)).collect();
            let known = self.watched.len();
            for path in found {
                if !self.watched.contains(&path) && self.watcher.watch(&path, RecursiveMode::NonRecursive).is_ok() {
                    self.watched.push(path);
                }
            }
            if self.watched.len() == known {
                return;
            }
        }
    }
}

fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|candidate| candidate.is_dir()).map(Path::to_path_buf)
}

/// A fragment or password in one of the directories, one of them itself, or a parent of one.
/// What systemd passes changes only when the service starts.
fn concerns(directories: &Directories, path: &Path) -> bool {
    let within = |directory: &PathBuf, is_ours: fn(&OsStr) -> bool| {
        directory.starts_with(path) || (path.parent() == Some(directory) && path.file_name().is_some_and(is_ours))
    };
    directories.paths.iter().any(|directory| within(directory, is_fragment_name))
        || directories.credentials.files.iter().any(|folder| within(folder, is_credential_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn wakes(changed: &mut mpsc::Receiver<()>) -> bool {
        tokio::time::timeout(Duration::from_secs(5), changed.recv()).await.is_ok()
    }

    #[tokio::test]
    async fn a_renamed_file_and_a_directory_that_appears_wake() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::below(root.path());
        let etc = directories.paths[2].clone();
        let (sender, mut changed) = mpsc::channel(1);
        let mut watch = ConfigWatch::start(directories, sender).unwrap();
        std::fs::create_dir_all(&etc).unwrap();
        assert!(wakes(&mut changed).await, "the directory appeared");
        watch.follow();
        while changed.try_recv().is_ok() {}
        std::fs::write(etc.join(".new"), "x = 1").unwrap();
        std::fs::rename(etc.join(".new"), etc.join("10.toml")).unwrap();
        assert!(wakes(&mut changed).await, "an editor replaced the file");
    }

    #[tokio::test]
    async fn a_password_that_changes_and_its_folder_that_appears_wake() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::below(root.path());
        let folder = directories.credentials.files.clone().unwrap();
        std::fs::create_dir_all(&directories.paths[2]).unwrap();
        let (sender, mut changed) = mpsc::channel(1);
        let mut watch = ConfigWatch::start(directories, sender).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert!(wakes(&mut changed).await, "the folder appeared");
        watch.follow();
        while changed.try_recv().is_ok() {}
        std::fs::write(folder.join("registry.password"), "Changed1").unwrap();
        assert!(wakes(&mut changed).await, "the password was written");
    }

    /// Folders that appear one after the other while they are being followed are not missed.
    #[tokio::test]
    async fn folders_that_appear_meanwhile_are_followed() {
        for round in 0..200 {
            let root = tempfile::tempdir().unwrap();
            let directories = Directories::below(root.path());
            let etc = directories.paths[2].clone();
            let (sender, mut changed) = mpsc::channel(1);
            let mut watch = ConfigWatch::start(directories, sender).unwrap();
            let making = {
                let etc = etc.clone();
                std::thread::spawn(move || std::fs::create_dir_all(&etc).unwrap())
            };
            while !watch.watched.contains(&etc) {
                assert!(wakes(&mut changed).await, "round {round}: only {:?}", watch.watched);
                watch.follow();
            }
            making.join().unwrap();
        }
    }

    #[test]
    fn only_fragments_passwords_and_parents_concern() {
        let directories = Directories::below(Path::new("/r"));
        assert!(concerns(&directories, Path::new("/r/etc/kaapana/config/10.toml")));
        assert!(concerns(&directories, Path::new("/r/etc/kaapana")));
        assert!(!concerns(&directories, Path::new("/r/etc/kaapana/config/.10.toml.swp")));
        assert!(concerns(&directories, Path::new("/r/etc/kaapana/credentials/registry.password")));
        assert!(!concerns(&directories, Path::new("/r/etc/kaapana/credentials/registry.password~")));
        assert!(!concerns(&directories, Path::new("/r/etc/passwd")));
    }
}
