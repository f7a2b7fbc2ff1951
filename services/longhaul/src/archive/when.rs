//! Before which time a shipment must have ended.

use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use runtime::REMEMBERED_FOR;

/// No shipment is archived that something happened to in this time: a service that runs still has it in
/// memory, and copies of its messages may be on their way. The clocks of machines may differ too.
const LEAST_AGE: SignedDuration = REMEMBERED_FOR.saturating_mul(24);

/// A time, or how long ago it is.
#[derive(Clone, Debug)]
pub(crate) enum When {
    At(Timestamp),
    Ago(Span),
}

impl FromStr for When {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        if let Ok(date) = text.parse::<Date>() {
            let begin = date
                .to_zoned(TimeZone::UTC)
                .context("there is no such day")?;
            return Ok(Self::At(begin.timestamp()));
        }
        match text.parse::<Span>() {
            Ok(span) if span.is_positive() => Ok(Self::Ago(span)),
            Ok(_) | Err(_) => bail!("expected 2024-05-27, 2024-05-27T10:00:00Z or 90d"),
        }
    }
}

impl When {
    /// The time.
    ///
    /// # Errors
    /// When it is not long enough ago.
    pub(crate) fn before(&self, now: Timestamp) -> anyhow::Result<Timestamp> {
        let time = match self {
            Self::At(time) => *time,
            Self::Ago(span) => {
                let now = now.to_zoned(TimeZone::UTC);
                let then = now.checked_sub(*span).context("that is too long ago")?;
                then.timestamp()
            }
        };
        ensure!(
            now.duration_since(time) >= LEAST_AGE,
            "{time} is less than a day ago: a shipment that something happened to since is not archived \
             (--ended-before)"
        );
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(text: &str) -> anyhow::Result<String> {
        let now = "2024-05-27T10:00:00Z".parse()?;
        Ok(text.parse::<When>()?.before(now)?.to_string())
    }

    #[test]
    fn it_is_a_day_a_time_or_so_long_ago() {
        for (text, time) in [
            ("2024-05-01", "2024-05-01T00:00:00Z"),
            ("2024-05-26T12:00:00+02:00", "2024-05-26T10:00:00Z"),
            ("1d", "2024-05-26T10:00:00Z"),
            ("36h", "2024-05-25T22:00:00Z"),
            ("3mo", "2024-02-27T10:00:00Z"),
        ] {
            assert_eq!(before(text).unwrap(), time, "{text}");
        }
    }

    #[test]
    fn what_is_none_of_these_or_less_than_a_day_ago_is_refused() {
        for text in ["", "soon", "90", "-90d", "0d", "2024-13-01"] {
            let error = before(text).unwrap_err().to_string();
            assert!(error.contains("90d"), "{text}: {error}");
        }
        for text in ["2024-05-27", "23h", "2025-01-01"] {
            let error = before(text).unwrap_err().to_string();
            assert!(error.contains("less than a day ago"), "{text}: {error}");
        }
        assert!(before("30000y").is_err() && before("15000y").is_err());
    }
}
