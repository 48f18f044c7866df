//! Points at which a test ends the agent, or the whole node. Without the feature
//! `faults`, which no package is built with, they are nothing.
//!
//! With it, the environment variable `KAAPANA_FAULTS` names a folder. A file `point` in
//! it says which point, the how many-th passing of it counting from the start of the
//! process, and what happens there: `3 kill before install` (SIGKILL), or `1 wait
//! before install` (the FIFO `reached` is opened for writing, then nothing goes on).

/// A place that is passed.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_when: &str, _what: &str) {}

/// A place that is passed.
#[cfg(feature = "faults")]
pub fn point(when: &str, what: &str) {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    static PASSED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

    let Some(folder) = std::env::var_os("KAAPANA_FAULTS").map(std::path::PathBuf::from) else { return };
    let here = format!("{when} {what}");
    let Ok(mut passed) = PASSED.lock() else { return };
    let count = passed.entry(here.clone()).or_default();
    *count += 1;
    let wanted = std::fs::read_to_string(folder.join("point")).unwrap_or_default();
    let ends = |how: &str| wanted.trim() == format!("{count} {how} {here}");
    if ends("kill") {
        std::fs::remove_file(folder.join("point")).ok();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
    } else if ends("wait") {
        std::fs::remove_file(folder.join("point")).ok();
        drop(std::fs::OpenOptions::new().write(true).open(folder.join("reached")));
        loop {
            std::thread::park();
        }
    }
}
