//! Questions that may hang are put on a thread, one at a time.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Observation, Observations};
use crate::state::Observed;

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks on a thread of its own and waits for a while. An answer that is late is
/// fetched by the next call, which puts no second question: what hangs in the kernel
/// cannot be ended, and threads must not pile up behind it.
///
/// # Errors
///
/// A sentence: no answer yet, or the thread ended without one.
pub async fn ask<T: Send + 'static>(
    outstanding: &mut Option<JoinHandle<T>>,
    limit: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let asked = outstanding.get_or_insert_with(|| tokio::task::spawn_blocking(question));
    match tokio::time::timeout(limit, asked).await {
        Err(_) => Err(format!("no answer for {} s", limit.as_secs())),
        Ok(answer) => {
            *outstanding = None;
            answer.map_err(|error| error.to_string())
        }
    }
}

/// Looks by period, on a thread, and tells what was seen, until the receiver is gone. For files
/// of others, on a disk that may hang.
pub async fn look_by_period<T: Send + 'static>(
    period: Duration,
    observations: Observations,
    told: fn(Observed<T>) -> Observation,
    look: impl Fn() -> Observed<T> + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outstanding = None;
    loop {
        ticks.tick().await;
        let seen = ask(&mut outstanding, PATIENCE, look.clone()).await;
        if observations.send(told(seen.unwrap_or_else(|reason| Observed::Unknown { reason }))).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_question_that_hangs_is_put_once() {
        let (release, hold) = mpsc::channel::<u32>();
        let mut outstanding = None;
        let late = ask(&mut outstanding, Duration::from_millis(1), move || hold.recv().unwrap()).await;
        assert_eq!(late, Err("no answer for 0 s".into()));
        release.send(7).unwrap();
        let answer = ask(&mut outstanding, Duration::from_secs(10), || panic!("a second question")).await;
        assert_eq!((answer, outstanding.is_none()), (Ok(7), true));
    }
}
