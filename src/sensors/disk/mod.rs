//! The file systems under the data directories and the other mount points that the site
//! wants to be looked at.
//!
//! The kernel announces a change of the mount table by `POLLPRI` on mountinfo
//! (`proc(5)`), which is read for PID 1: inside the agent's sandbox everything
//! looks read-only. Free space announces nothing and is looked at by period. Each directory
//! has a task of its own, and what can hang on a hung file system runs on a thread, one at a
//! time for each: one that hangs says so, and the others go on.

mod device;
mod directory;
mod forecast;
mod mounts;

pub use directory::MARKER;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::{Observation, Observations, SettingsInForce, patience};
use crate::config::Settings;
use crate::paths::Paths;
use crate::state::{Directory, Disks, Observed};

/// How often free space and contents are looked at.
const PERIOD: Duration = Duration::from_secs(15);

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many looks at a directory are given up, at most, in the life of the agent.
const MOST_GIVEN_UP: u32 = 4;

/// What a look at a directory came to, and how many actions had changed what lies there when it began.
type Look = (u64, Result<Directory, String>);

/// Looks until the receiver is gone. `touched` counts the actions that changed what lies in a
/// directory: after each it is looked at at once, and what is sent says how many a look knows of.
pub async fn run(paths: Arc<Paths>, mut settings: SettingsInForce, touched: watch::Receiver<u64>, observations: Observations) {
    let (announced, changes) = watch::channel(());
    match std::fs::File::open(&paths.mountinfo) {
        Ok(table) => announce_changes(table, announced),
        Err(error) => {
            tracing::warn!(path = %paths.mountinfo.display(), %error, "mounts are not announced, they are looked at by period");
        }
    }
    let (seen, mut told) = mpsc::channel::<(PathBuf, Look)>(16);
    let mut tasks = Tasks(BTreeMap::new());
    let mut known: BTreeMap<PathBuf, Look> = BTreeMap::new();
    loop {
        let wanted = settings.borrow_and_update().as_deref().map(Wanted::of);
        let paths_wanted = wanted.as_ref().map(Wanted::all).unwrap_or_default();
        tasks.0.retain(|path, (contents, task)| {
            let stays = paths_wanted.get(path) == Some(contents);
            if !stays {
                task.abort();
            }
            stays
        });
        known.retain(|path, _| tasks.0.contains_key(path));
        for (path, contents) in &paths_wanted {
            tasks.0.entry(path.clone()).or_insert_with(|| {
                let causes = (changes.clone(), touched.clone());
                let looking = watch_directory(Arc::clone(&paths), path.clone(), *contents, causes, seen.clone());
                (*contents, tokio::spawn(looking).abort_handle())
            });
        }
        // What is known already is told at once.
        if let Some((after, seen)) = wanted.as_ref().and_then(|wanted| wanted.gather(&known))
            && observations.send(Observation::Disks { after, seen }).await.is_err()
        {
            return;
        }
        // Until other directories are wanted.
        loop {
            tokio::select! {
                changed = settings.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some((path, look)) = told.recv() => {
                    // The last word of a task that was ended, of which nobody knows how old it gets.
                    if !paths_wanted.contains_key(&path) {
                        continue;
                    }
                    known.insert(path, look);
                    let Some((after, seen)) = wanted.as_ref().and_then(|wanted| wanted.gather(&known)) else { continue };
                    if observations.send(Observation::Disks { after, seen }).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// The tasks that look, by directory, and whether at what lies in it. They end with this.
struct Tasks(BTreeMap<PathBuf, (bool, AbortHandle)>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

/// What is to be looked at.
struct Wanted {
    fast: PathBuf,
    slow: PathBuf,
    monitored: Vec<PathBuf>,
}

impl Wanted {
    fn of(settings: &Settings) -> Self {
        let monitored = settings.list("data.mount_points_to_monitor").iter().map(PathBuf::from).collect();
        Self { fast: settings.fast_dir(), slow: settings.slow_dir(), monitored }
    }

    /// Each directory, and whether it is looked at what lies in it: only in those of the data.
    fn all(&self) -> BTreeMap<PathBuf, bool> {
        let mut all: BTreeMap<PathBuf, bool> = self.monitored.iter().map(|path| (path.clone(), false)).collect();
        all.extend([&self.fast, &self.slow].map(|path| (path.clone(), true)));
        all
    }

    /// What was seen, once all was looked at, and how many actions the oldest look knows of.
    fn gather(&self, known: &BTreeMap<PathBuf, Look>) -> Option<(u64, Observed<Disks>)> {
        let of = |path: &PathBuf| known.get(path).map(|(_, look)| look.clone());
        let monitored = self.monitored.iter().map(of).collect::<Option<Result<Vec<_>, _>>>()?;
        let all = (of(&self.fast)?, of(&self.slow)?, monitored);
        let after = [&self.fast, &self.slow].into_iter().filter_map(|path| known.get(path)).map(|(after, _)| *after).min()?;
        let seen = match all {
            (Ok(fast), Ok(slow), Ok(monitored)) => Observed::Fresh(Disks { fast, slow, monitored }),
            (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => Observed::Unknown { reason },
        };
        Some((after, seen))
    }
}

/// Looks at a directory now, whenever the mount table changes, after actions, and by period.
async fn watch_directory(
    paths: Arc<Paths>,
    path: PathBuf,
    contents: bool,
    (mut changes, mut touched): (watch::Receiver<()>, watch::Receiver<u64>),
    seen: mpsc::Sender<(PathBuf, Look)>,
) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outstanding = None;
    let mut forecast = forecast::Forecast::default();
    let mut resolved = path.clone();
    let (mut announced, mut again, mut given_up, mut after) = (true, false, 0, 0);
    loop {
        // One that hangs is waited for without a pause, so that its answer is news at once.
        while outstanding.is_none() && !std::mem::take(&mut again) {
            tokio::select! {
                _ = ticks.tick() => again = true,
                changed = changes.changed(), if announced => (announced, again) = (changed.is_ok(), changed.is_ok()),
                Ok(()) = touched.changed() => again = true,
            }
        }
        let mut late = outstanding.is_some();
        // Something else is mounted by now, and what hangs may hang for ever in what was there
        // before. A few threads are given up for that, no more.
        if late && announced && changes.has_changed().unwrap_or(false) && given_up < MOST_GIVEN_UP {
            changes.borrow_and_update();
            (outstanding, late, given_up) = (None, false, given_up + 1);
        }
        if !late {
            after = *touched.borrow_and_update();
        }
        let (of, at) = (Arc::clone(&paths), path.clone());
        // While a look hangs no second one is begun.
        let looked = patience::ask(&mut outstanding, PATIENCE, move || directory::look(&of, &at, contents)).await;
        // An answer that comes late tells of the time when it was asked for.
        again = late && looked.is_ok();
        // That it hangs is news of now.
        let after = if looked.is_ok() { after } else { *touched.borrow() };
        let looked = match looked {
            Ok(looked) => looked,
            Err(reason) => directory::hung(&paths, &path, &resolved, &reason),
        };
        let looked = match looked {
            Ok(mut directory) => {
                resolved.clone_from(&directory.resolved);
                if !directory.hung && directory.error.is_none() {
                    directory.filling = forecast.note(Instant::now(), directory.free);
                }
                Ok(directory)
            }
            Err(error) => Err(format!("{}: {error}", paths.mountinfo.display())),
        };
        if seen.send((path.clone(), (after, looked))).await.is_err() {
            return;
        }
    }
}

/// Says whenever the mount table changes. Waiting is `poll(2)` on a thread of its
/// own: the event is an exceptional one, which the runtime does not wait for safely.
fn announce_changes(table: std::fs::File, announced: watch::Sender<()>) {
    let waiting = move || {
        while !announced.is_closed() {
            let mut polled = [PollFd::new(&table, PollFlags::PRI)];
            match poll(&mut polled, None) {
                Ok(_) => {
                    announced.send_replace(());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("mountinfo".into()).spawn(waiting) {
        tracing::warn!(%error, "mounts are not announced, they are looked at by period");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{fragments::Fragments, validate};

    fn settings(root: &std::path::Path, more: &str) -> Settings {
        let root = root.display();
        let text = format!(
            "[platform]\nversion = \"0.6.0\"\ndomain = \"10.0.0.5\"\n[registry]\nurl = \"r.org\"\nusername = \"u\"\npassword = \"Secret1\"\n\
             [data]\nfast_dir = \"{root}/fast\"\nslow_dir = \"{root}/slow\"\n{more}"
        );
        let mut fragments = Fragments::default();
        fragments.merge_text(std::path::Path::new("/x.toml"), &text).unwrap();
        validate(&fragments).unwrap().unwrap()
    }

    /// The next observation: after how many actions, and the markers.
    async fn markers(seen: &mut mpsc::Receiver<Observation>) -> (u64, [Option<String>; 2]) {
        let next = tokio::time::timeout(Duration::from_secs(10), seen.recv()).await.unwrap();
        let Some(Observation::Disks { after, seen: Observed::Fresh(disks) }) = next else { panic!("{next:?}") };
        (after, [disks.fast, disks.slow].map(|directory| directory.identity.marker))
    }

    /// The look of a minute ago is not told as new when other directories are wanted: a marker
    /// that was written meanwhile would be missing, and the disk would count as another one.
    #[tokio::test]
    async fn what_an_action_wrote_is_looked_at_at_once_and_never_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        std::fs::create_dir_all(paths.mountinfo.parent().unwrap()).unwrap();
        std::fs::write(&paths.mountinfo, include_str!("../../../tests/fixtures/mountinfo")).unwrap();
        for name in ["fast", "slow", "other"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let (wanted, in_force) = watch::channel(Some(Arc::new(settings(root.path(), ""))));
        let (actions, touched) = watch::channel(0);
        let (send, mut seen) = mpsc::channel(16);
        tokio::spawn(run(Arc::new(paths), in_force, touched, send));
        assert_eq!(markers(&mut seen).await, (0, [None, None]));

        for name in ["fast", "slow"] {
            std::fs::write(root.path().join(name).join(MARKER), format!("{name}\n")).unwrap();
        }
        actions.send_replace(2);
        let both = [Some("fast".to_owned()), Some("slow".to_owned())];
        // One of them may be told before the other was looked at again: of the older look.
        let told = loop {
            let told = markers(&mut seen).await;
            if told.0 == 2 {
                break told;
            }
        };
        assert_eq!(told, (2, both.clone()));

        let other = format!("mount_points_to_monitor = [\"{}/other\"]\n", root.path().display());
        wanted.send_replace(Some(Arc::new(settings(root.path(), &other))));
        assert_eq!(markers(&mut seen).await, (2, both));
    }
}
