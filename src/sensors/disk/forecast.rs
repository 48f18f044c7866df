//! How fast a file system fills up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is looked back at.
const SPAN: Duration = Duration::from_secs(3600);

/// Less says nothing about the rate.
const LEAST: Duration = Duration::from_secs(600);

/// A sample is kept so often: the rest says nothing more.
const EVERY: Duration = Duration::from_secs(60);

/// Rates are told in steps, so that not every one is news; in bytes an hour.
const STEP: u64 = 256 * 1024 * 1024;

/// Free space over the last hour.
#[derive(Default)]
pub struct Forecast {
    samples: VecDeque<(Instant, u64)>,
}

impl Forecast {
    /// Takes note of the free space and returns how many bytes an hour it loses; 0: none, or
    /// not known yet.
    pub fn note(&mut self, now: Instant, free: u64) -> u64 {
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= EVERY) {
            self.samples.push_back((now, free));
        }
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > SPAN) {
            self.samples.pop_front();
        }
        let Some((at, before)) = self.samples.front().copied() else { return 0 };
        let span = now.duration_since(at);
        if span < LEAST {
            return 0;
        }
        // What was freed meanwhile counts against it.
        before.saturating_sub(free).saturating_mul(3600) / span.as_secs() / STEP * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_hour() {
        const GIB: u64 = 1 << 30;
        let begin = Instant::now();
        let at = |minutes: u64| begin + Duration::from_secs(60 * minutes);
        let mut forecast = Forecast::default();
        assert_eq!(forecast.note(at(0), 100 * GIB), 0);
        assert_eq!(forecast.note(at(5), 90 * GIB), 0, "too early to say");
        assert_eq!(forecast.note(at(30), 95 * GIB), 10 * GIB);
        assert_eq!(forecast.note(at(60), 100 * GIB), 0);
        // What happened before the last hour does not count.
        assert_eq!(forecast.note(at(90), 70 * GIB), 25 * GIB);
        assert_eq!(forecast.note(at(150), 70 * GIB), 0);
        assert_eq!(forecast.note(at(151), 200 * GIB), 0, "more is free than before");
    }
}
