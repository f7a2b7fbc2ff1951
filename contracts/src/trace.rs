//! The W3C trace context (<https://www.w3.org/TR/trace-context/>) that messages carry.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A `traceparent` of version 00: `00-{trace id}-{span id}-{flags}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TraceParent(String);

impl TraceParent {
    /// Parses a header; `None` when it is not a valid traceparent of version 00, which the
    /// recommendation says to treat as absent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::is_valid(text).then(|| Self(text.to_owned()))
    }

    fn is_valid(text: &str) -> bool {
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = text.split('-');
        let mut next = || parts.next().unwrap_or_default();
        let (version, trace, span, flags) = (next(), next(), next(), next());
        let set = |part: &str| part.bytes().any(|b| b != b'0');
        parts.next().is_none()
            && version == "00"
            && hex(trace, 32)
            && set(trace)
            && hex(span, 16)
            && set(span)
            && hex(flags, 2)
    }

    /// The context of a process that nobody traced from outside: its correlation id is the trace
    /// id, so that logs, streams and traces are found under one id.
    #[must_use]
    pub fn of(correlation_id: Uuid, span: Uuid) -> Self {
        Self(format!(
            "00-{}-{:016x}-01",
            correlation_id.simple(),
            (span.as_u128() as u64).max(1)
        ))
    }

    /// The same trace, continued by the span that `span` names.
    #[must_use]
    pub fn continued_by(&self, span: Uuid) -> Self {
        Self(format!(
            "{}-{:016x}-{}",
            &self.0[..35],
            (span.as_u128() as u64).max(1),
            &self.0[53..]
        ))
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TraceParent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if Self::is_valid(&text) {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no traceparent"))
        }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_header_is_kept_and_continued() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = TraceParent::parse(header).unwrap();
        assert_eq!(trace.as_str(), header);
        let next = trace.continued_by(Uuid::from_u128(0xabc));
        assert_eq!(
            next.as_str(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-01"
        );
        assert!(TraceParent::parse(next.as_str()).is_some());
    }

    #[test]
    fn an_invalid_header_counts_as_absent() {
        for header in [
            "",
            "00-xyz-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_context_of_our_own_is_valid() {
        let own = TraceParent::of(Uuid::from_u128(7), Uuid::from_u128(0));
        assert!(TraceParent::parse(own.as_str()).is_some(), "{own}");
    }
}
