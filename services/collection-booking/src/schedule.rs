//! When the collection of a parcel is booked.

use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use jiff::{Span, Timestamp};

/// How many days ahead a collection may be booked.
const DAYS_AHEAD: i64 = 7;

/// The time at which to book a collection on `date`: now when that is today, else at 22:30 on the
/// day before, where the parcel is. When that time has just gone by, it is now.
///
/// # Errors
/// Why there is no such time, in words.
pub fn book_at(date: Date, time_zone: &str, now: Timestamp) -> Result<Timestamp, String> {
    let failed = |why: &str| Err(format!("the collection date {date} {why} in {time_zone}"));
    // The bundled database, and not the machine's: the same input is scheduled the same everywhere.
    let Ok(zone) = TimeZoneDatabase::bundled().get(time_zone) else {
        return Err(format!("{time_zone:?} is not the name of a time zone"));
    };
    let today = now.to_zoned(zone.clone()).date();
    if date < today {
        return failed("is in the past");
    }
    if date > today.saturating_add(Span::new().days(DAYS_AHEAD)) {
        return failed("is more than 7 days ahead");
    }
    if date == today {
        return Ok(now);
    }
    // A time that the clocks skip is the time that long after the skip; of one that comes twice, it
    // is the first (RFC 5545).
    let evening_before = date
        .yesterday()
        .and_then(|day| day.at(22, 30, 0, 0).to_zoned(zone));
    match evening_before {
        Ok(evening) => Ok(evening.timestamp().max(now)),
        Err(_) => failed("cannot be reckoned with"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str, zone: &str, now: &str) -> Result<String, String> {
        book_at(date.parse().unwrap(), zone, now.parse().unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn tomorrow_is_booked_at_half_past_ten_this_evening_local_time() {
        let now = "2024-05-26T10:00:00Z";
        assert_eq!(
            at("2024-05-27", "Europe/London", now).unwrap(),
            "2024-05-26T21:30:00Z"
        );
        assert_eq!(
            at("2024-05-27", "Europe/Berlin", now).unwrap(),
            "2024-05-26T20:30:00Z"
        );
        assert_eq!(
            at("2024-05-27", "America/New_York", now).unwrap(),
            "2024-05-27T02:30:00Z"
        );
        assert_eq!(
            at("2024-05-27", "Asia/Kathmandu", now).unwrap(),
            "2024-05-26T16:45:00Z"
        );
    }

    #[test]
    fn today_is_the_day_it_is_where_the_parcel_is() {
        // 11 o'clock in the evening in London is tomorrow already in Auckland.
        let now = "2024-05-26T22:00:00Z";
        assert_eq!(at("2024-05-26", "Europe/London", now).unwrap(), now);
        assert_eq!(at("2024-05-27", "Pacific/Auckland", now).unwrap(), now);
        assert!(
            at("2024-05-26", "Pacific/Auckland", now)
                .unwrap_err()
                .contains("in the past")
        );
        assert_eq!(
            at("2024-05-27", "America/New_York", now).unwrap(),
            "2024-05-27T02:30:00Z"
        );
    }

    #[test]
    fn an_evening_that_has_gone_by_is_now() {
        let now = "2024-05-26T21:45:00Z";
        assert_eq!(at("2024-05-27", "Europe/London", now).unwrap(), now);
    }

    #[test]
    fn seven_days_ahead_is_the_last_day() {
        let now = "2024-05-26T10:00:00Z";
        assert_eq!(
            at("2024-06-02", "Europe/London", now).unwrap(),
            "2024-06-01T21:30:00Z"
        );
        let late = at("2024-06-03", "Europe/London", now).unwrap_err();
        assert!(late.contains("more than 7 days ahead"), "{late}");
    }

    #[test]
    fn yesterday_is_in_the_past() {
        let past = at("2024-05-25", "Europe/London", "2024-05-26T10:00:00Z").unwrap_err();
        assert!(past.contains("in the past"), "{past}");
    }

    #[test]
    fn the_clocks_are_reckoned_with() {
        // Berlin: summer time begins on 2024-03-31, and ends on 2024-10-27.
        assert_eq!(
            at("2024-03-31", "Europe/Berlin", "2024-03-29T10:00:00Z").unwrap(),
            "2024-03-30T21:30:00Z"
        );
        assert_eq!(
            at("2024-04-01", "Europe/Berlin", "2024-03-29T10:00:00Z").unwrap(),
            "2024-03-31T20:30:00Z"
        );
        assert_eq!(
            at("2024-10-28", "Europe/Berlin", "2024-10-26T10:00:00Z").unwrap(),
            "2024-10-27T21:30:00Z"
        );
    }

    #[test]
    fn an_evening_that_the_clocks_skip_moves_on() {
        // Nuuk skipped from 22:00 to 23:00 on 2024-03-30.
        assert_eq!(
            at("2024-03-31", "America/Nuuk", "2024-03-29T10:00:00Z").unwrap(),
            "2024-03-31T00:30:00Z"
        );
    }

    #[test]
    fn an_unknown_zone_fails_in_words() {
        let failed = at("2024-05-27", "Mars/Olympus", "2024-05-26T10:00:00Z").unwrap_err();
        assert!(failed.contains("Mars/Olympus"), "{failed}");
    }
}
