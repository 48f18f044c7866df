//! A check that flaps is told a few times, then that it flaps, and then nothing until it is
//! calm: a journal full of one line hides the others. What it is then is told.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// So many changes within [`SPAN`] are told.
const TOLD: usize = 6;

/// What is looked back at; and how long it must be calm after it flapped.
const SPAN: SignedDuration = SignedDuration::from_mins(10);

/// What is to be told of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// The change.
    Change,
    /// The change, and that it flaps.
    Flaps,
    /// Nothing.
    Nothing,
}

/// The latest changes of each check, and whether it flaps.
#[derive(Debug, Default)]
pub(super) struct Damper(BTreeMap<String, (VecDeque<Timestamp>, bool)>);

impl Damper {
    /// Takes note of a change.
    pub(super) fn note(&mut self, id: &str, now: Timestamp) -> Tell {
        let (times, flaps) = self.0.entry(id.to_owned()).or_default();
        while times.front().is_some_and(|at| now.duration_since(*at) > SPAN) {
            times.pop_front();
        }
        if *flaps && !times.is_empty() {
            // The last one counts: from it on it must be calm.
            times.clear();
            times.push_back(now);
            return Tell::Nothing;
        }
        times.push_back(now);
        *flaps = times.len() > TOLD;
        if *flaps { Tell::Flaps } else { Tell::Change }
    }

    /// Those that flapped and have been calm since: each once.
    pub(super) fn calmed(&mut self, now: Timestamp) -> Vec<String> {
        let is_calm = |times: &VecDeque<Timestamp>| times.back().is_none_or(|at| now.duration_since(*at) > SPAN);
        let calm = self.0.iter_mut().filter(|(_, (times, flaps))| *flaps && is_calm(times));
        calm.map(|(id, (times, flaps))| {
            (*times, *flaps) = (VecDeque::new(), false);
            id.clone()
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flaps_is_told_once_until_it_is_calm() {
        let mut damper = Damper::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        for second in 0..6 {
            assert_eq!(damper.note("a", at(second)), Tell::Change);
        }
        assert_eq!(damper.note("a", at(6)), Tell::Flaps);
        for second in 7..3000 {
            assert_eq!(damper.note("a", at(second)), Tell::Nothing);
        }
        assert_eq!(damper.note("b", at(0)), Tell::Change, "each for itself");
        // Calm for as long as is looked back at.
        assert!(damper.calmed(at(3100)).is_empty());
        assert_eq!(damper.calmed(at(3000 + 600)), ["a"]);
        assert!(damper.calmed(at(3000 + 700)).is_empty(), "once");
        assert_eq!(damper.note("a", at(3000 + 701)), Tell::Change);
    }
}
