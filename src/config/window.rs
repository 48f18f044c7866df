//! Maintenance windows: when a change may take the platform down by itself. Pure.
//!
//! A window is a line such as `Sat,Sun 02:00-05:00 Europe/Berlin`: days or `daily`,
//! from and until by the clock of the place, and its time zone (IANA's name). A window
//! whose end is not after its begin ends on the next day. On the days the clocks are
//! changed the wall clock counts: a window in the hour that is skipped does not open
//! that day, one in the hour that comes twice is open both times.
//!
//! The zones' rules are part of the program (IANA's database, as the crate `jiff` carries
//! it): reading a window looks at no file, and a machine without them knows them.

use std::sync::LazyLock;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};

/// What a window looks like, for messages.
pub const EXPECTATION: &str = "windows such as \"Sat,Sun 02:00-05:00 Europe/Berlin\" or \"daily 01:30-04:00 UTC\"";

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// A maintenance window.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    days: Vec<Weekday>,
    from: Time,
    until: Time,
    zone: TimeZone,
}

/// A time in which a change may be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends; this moment is outside.
    pub until: Timestamp,
    /// When it begins, by the clock of the place.
    pub told: String,
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [days, span, zone] = words[..] else { return Err(format!("\"{text}\" has not three words")) };
        let (from, until) = span.split_once('-').ok_or_else(|| format!("\"{span}\" is no span of time"))?;
        Ok(Self {
            days: parse_days(days)?,
            from: parse_time(from)?,
            until: parse_time(until)?,
            zone: ZONES.get(zone).map_err(|_| format!("\"{zone}\" is no time zone that is known here"))?,
        })
    }

    /// Its opening at `now`, or the next one within the next eight days.
    #[must_use]
    pub fn opening(&self, now: Timestamp) -> Option<Opening> {
        let today = now.to_zoned(self.zone.clone()).date();
        // One that began yesterday may still be open.
        (-1..=8)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .filter(|date| self.days.contains(&date.weekday()))
            .filter_map(|date| self.on(date))
            .find(|opening| opening.until > now)
    }

    fn on(&self, date: Date) -> Option<Opening> {
        let last = if self.until > self.from { date } else { date.tomorrow().ok()? };
        let at = |date: Date, time: Time, rule| self.zone.to_ambiguous_zoned(date.to_datetime(time)).disambiguate(rule).ok();
        // A begin that is skipped is where the clock goes on; an end that comes twice is the second.
        let from = at(date, self.from, Disambiguation::Compatible)?;
        let until = at(last, self.until, Disambiguation::Later)?;
        (from < until).then(|| Opening {
            from: from.timestamp(),
            until: until.timestamp(),
            told: format!("{} {}", from.strftime("%a %Y-%m-%d %H:%M"), self.zone.iana_name().unwrap_or_default()),
        })
    }
}

/// The opening at `now`, or the next one, of any of these windows.
#[must_use]
pub fn opening(windows: &[Window], now: Timestamp) -> Option<Opening> {
    windows.iter().filter_map(|window| window.opening(now)).min_by_key(|opening| opening.from)
}

fn parse_days(text: &str) -> Result<Vec<Weekday>, String> {
    if text == "daily" {
        return Ok(DAYS.iter().map(|(_, day)| *day).collect());
    }
    let find = |name: &str| {
        DAYS.iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("\"{name}\" is no day (Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily)"))
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (find(first)?, find(last)?);
        // Sat-Mon goes over the end of the week.
        let count = (last + 7 - first) % 7 + 1;
        days.extend((0..count).map(|step| DAYS[(first + step) % 7].1));
    }
    Ok(days)
}

fn parse_time(text: &str) -> Result<Time, String> {
    let bad = || format!("\"{text}\" is no time of day (such as 02:30)");
    let (hour, minute) = text.split_once(':').filter(|(_, minute)| minute.len() == 2).ok_or_else(bad)?;
    let number = |text: &str| text.parse::<u8>().ok().and_then(|number| i8::try_from(number).ok()).ok_or_else(bad);
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(window: &str, now: &str) -> (String, String) {
        let found = Window::parse(window).unwrap().opening(now.parse().unwrap()).unwrap();
        (found.from.to_string(), found.until.to_string())
    }

    fn pair(from: &str, until: &str) -> (String, String) {
        (from.into(), until.into())
    }

    #[test]
    fn open_now_or_next() {
        let window = "Sat,Sun 02:00-05:00 Europe/Berlin";
        // A Monday in November: the next is Saturday, 02:00 by Berlin's clock.
        assert_eq!(opening(window, "2026-11-23T10:00:00Z"), pair("2026-11-28T01:00:00Z", "2026-11-28T04:00:00Z"));
        assert_eq!(opening(window, "2026-11-28T03:59:59Z"), pair("2026-11-28T01:00:00Z", "2026-11-28T04:00:00Z"));
        // Its end is outside.
        assert_eq!(opening(window, "2026-11-28T04:00:00Z").0, "2026-11-29T01:00:00Z");
    }

    #[test]
    fn over_midnight_and_over_the_end_of_the_week() {
        assert_eq!(opening("Sun 23:00-01:00 UTC", "2026-11-23T00:30:00Z").1, "2026-11-23T01:00:00Z");
        assert_eq!(opening("Sat-Mon 12:00-12:00 UTC", "2026-11-24T13:00:00Z").0, "2026-11-28T12:00:00Z");
        assert_eq!(opening("daily 00:00-23:59 UTC", "2026-11-24T13:00:00Z").0, "2026-11-24T00:00:00Z");
    }

    #[test]
    fn the_days_the_clocks_are_changed() {
        // 2026-03-29: 02:00 becomes 03:00 in Berlin. The hour is not there.
        let spring = "2026-03-28T12:00:00Z";
        assert_eq!(opening("Sun 02:00-03:00 Europe/Berlin", spring).0, "2026-04-05T00:00:00Z");
        assert_eq!(opening("Sun 01:30-03:30 Europe/Berlin", spring), pair("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"));
        // 2026-10-25: 03:00 becomes 02:00. The hour comes twice and both are inside.
        let autumn = "2026-10-24T12:00:00Z";
        assert_eq!(opening("Sun 02:00-03:00 Europe/Berlin", autumn), pair("2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"));
        assert_eq!(opening("Sun 02:00-02:30 Europe/Berlin", autumn), pair("2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z"));
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        for (text, words) in [
            ("Sat 02:00-05:00", "has not three words"),
            ("Samstag 02:00-05:00 UTC", "\"Samstag\" is no day"),
            ("Sat 2-5 UTC", "is no time of day"),
            ("Sat 25:00-26:00 UTC", "is no time of day"),
            ("Sat 02:00 UTC", "is no span of time"),
            ("Sat 02:00-05:00 Europe/Heidelberg", "is no time zone"),
        ] {
            let error = Window::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
