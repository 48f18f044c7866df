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

/// What a look at a directory came to.
type Look = (PathBuf, Result<Directory, String>);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut settings: SettingsInForce, observations: Observations) {
    let (announced, changes) = watch::channel(());
    match std::fs::File::open(&paths.mountinfo) {
        Ok(table) => announce_changes(table, announced),
        Err(error) => {
            tracing::warn!(path = %paths.mountinfo.display(), %error, "mounts are not announced, they are looked at by period");
        }
    }
    let (seen, mut told) = mpsc::channel::<Look>(16);
    let mut tasks = Tasks(BTreeMap::new());
    let mut known: BTreeMap<PathBuf, Result<Directory, String>> = BTreeMap::new();
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
                let looking = watch_directory(Arc::clone(&paths), path.clone(), *contents, changes.clone(), seen.clone());
                (*contents, tokio::spawn(looking).abort_handle())
            });
        }
        // What is known already is told at once.
        if let Some(seen) = wanted.as_ref().and_then(|wanted| wanted.gather(&known))
            && observations.send(Observation::Disks(seen)).await.is_err()
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
                    let Some(seen) = wanted.as_ref().and_then(|wanted| wanted.gather(&known)) else { continue };
                    if observations.send(Observation::Disks(seen)).await.is_err() {
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

    /// What was seen, once all was looked at.
    fn gather(&self, known: &BTreeMap<PathBuf, Result<Directory, String>>) -> Option<Observed<Disks>> {
        let of = |path: &PathBuf| known.get(path).cloned();
        let monitored = self.monitored.iter().map(of).collect::<Option<Result<Vec<_>, _>>>()?;
        let all = (of(&self.fast)?, of(&self.slow)?, monitored);
        Some(match all {
            (Ok(fast), Ok(slow), Ok(monitored)) => Observed::Fresh(Disks { fast, slow, monitored }),
            (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => Observed::Unknown { reason },
        })
    }
}

/// Looks at a directory now, whenever the mount table changes, and by period.
async fn watch_directory(
    paths: Arc<Paths>,
    path: PathBuf,
    contents: bool,
    mut changes: watch::Receiver<()>,
    seen: mpsc::Sender<Look>,
) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outstanding = None;
    let mut forecast = forecast::Forecast::default();
    let mut resolved = path.clone();
    let (mut announced, mut again, mut given_up) = (true, false, 0);
    loop {
        // One that hangs is waited for without a pause, so that its answer is news at once.
        while outstanding.is_none() && !std::mem::take(&mut again) {
            tokio::select! {
                _ = ticks.tick() => again = true,
                changed = changes.changed(), if announced => (announced, again) = (changed.is_ok(), changed.is_ok()),
            }
        }
        let mut late = outstanding.is_some();
        // Something else is mounted by now, and what hangs may hang for ever in what was there
        // before. A few threads are given up for that, no more.
        if late && announced && changes.has_changed().unwrap_or(false) && given_up < MOST_GIVEN_UP {
            changes.borrow_and_update();
            (outstanding, late, given_up) = (None, false, given_up + 1);
        }
        let (of, at) = (Arc::clone(&paths), path.clone());
        // While a look hangs no second one is begun.
        let looked = patience::ask(&mut outstanding, PATIENCE, move || directory::look(&of, &at, contents)).await;
        // An answer that comes late tells of the time when it was asked for.
        again = late && looked.is_ok();
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
        if seen.send((path.clone(), looked)).await.is_err() {
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
