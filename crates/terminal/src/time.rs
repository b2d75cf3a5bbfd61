//! Times for people: as the clock on the wall has them, and how long ago or in what time they are.

use jiff::{Timestamp, Zoned, civil, tz::TimeZone};

/// Within so many seconds it helps to say how long ago something was.
const ABOUT_NOW_SECS: i64 = 86_400;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// A time in seconds since 1970 as it is here, to the minute.
pub fn local_minute(secs: u64) -> String {
    let time = i64::try_from(secs).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    time.map_or_else(|| secs.to_string(), minute)
}

fn minute(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time as RFC 3339 has it, for people: local, and with how far away it is if that is less than a day. What is no time stays as
/// it is.
pub fn shown(rfc3339: &str) -> String {
    shown_at(rfc3339, Timestamp::now())
}

fn shown_at(rfc3339: &str, now: Timestamp) -> String {
    let Ok(time) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let away = time.as_second().saturating_sub(now.as_second());
    match distance(away) {
        Some(distance) => format!("{} ({distance})", minute(time)),
        None => minute(time),
    }
}

/// The same for a cell of a table, where every column counts: today's date is left out where the distance says it.
pub fn brief(rfc3339: &str) -> String {
    brief_at(rfc3339, Timestamp::now())
}

fn brief_at(rfc3339: &str, now: Timestamp) -> String {
    let Ok(time) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let away = time.as_second().saturating_sub(now.as_second());
    match distance(away) {
        Some(distance) => format!("{} ({distance})", time.to_zoned(TimeZone::system()).strftime("%H:%M")),
        None => minute(time),
    }
}

/// `in 27 min`, `3 h ago`, `now`; `None`: it is more than a day away.
fn distance(away_secs: i64) -> Option<String> {
    if away_secs.abs() >= ABOUT_NOW_SECS {
        return None;
    }
    let secs = away_secs.unsigned_abs();
    let span = match secs {
        0..=4 => return Some("now".to_owned()),
        5..MINUTE => format!("{secs} s"),
        MINUTE..HOUR => format!("{} min", secs / MINUTE),
        _ => format!("{} h", secs / HOUR),
    };
    Some(if away_secs < 0 { format!("{span} ago") } else { format!("in {span}") })
}

/// Seconds in the two largest units that they have.
pub fn span(secs: u64) -> String {
    let (minutes, hours, days) = (secs / MINUTE, secs / HOUR, secs / DAY);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", secs % 60),
        () => format!("{secs} s"),
    }
}

/// Seconds since 1970 of a local date (at 00:00) or of a local date and time, as `2027-03-31` or `2027-03-31T18:00`.
pub fn of_date(text: &str) -> Option<u64> {
    let date: civil::DateTime = match text.parse::<civil::Date>() {
        Ok(date) if text.len() == 10 => date.to_datetime(civil::Time::midnight()),
        _ => text.parse().ok()?,
    };
    let zoned: Zoned = date.to_zoned(TimeZone::system()).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units() {
        for (secs, text) in [(0, "0 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_061, "1 d 1 h")] {
            assert_eq!(span(secs), text);
        }
    }

    #[test]
    fn what_is_about_now_says_how_far_away_it_is() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (at, said) in [
            ("2026-11-30T12:00:03Z", "(now)"),
            ("2026-11-30T12:27:10Z", "(in 27 min)"),
            ("2026-11-30T08:59:00Z", "(3 h ago)"),
            ("2026-11-30T11:59:20Z", "(40 s ago)"),
        ] {
            for text in [shown_at(at, now), brief_at(at, now)] {
                assert!(text.ends_with(said), "{at}: {text}");
            }
        }
        assert!(!shown_at("2026-11-28T12:00:00Z", now).contains('('));
        assert_eq!(shown_at("whenever", now), "whenever");
        assert_eq!(brief_at("", now), "");
    }

    #[test]
    fn a_date_is_the_beginning_of_a_day_here() {
        let day = of_date("2027-03-31").unwrap();
        assert_eq!(local_minute(day), "2027-03-31 00:00");
        assert_eq!(local_minute(of_date("2027-03-31T18:05").unwrap()), "2027-03-31 18:05");
        for wrong in ["", "never", "2027-02-30", "2027", "31.3.2027", "1969-01-01"] {
            assert_eq!(of_date(wrong), None, "{wrong}");
        }
    }
}
