//! The names of streams at the server.

use event_store::{Error, StreamKind, StreamName};

use crate::error::refused;

/// The streams of instances are `{instance}-{kind}`, or `{prefix}.{instance}-{kind}`. Those of the log's own
/// books hold a `/`. An instance's name holds none of `-`, `.` and `/`, so no installation takes in the
/// streams of another, or its own books, and the server's categories are the instances.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Empty, or with its dot.
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        let dot = if prefix.is_empty() { "" } else { "." };
        Self {
            prefix: format!("{prefix}{dot}"),
        }
    }

    /// The stream of an instance.
    pub(crate) fn stream(&self, stream: &StreamName) -> Result<String, Error> {
        // `$` begins the server's own streams.
        if stream.as_str().starts_with('$')
            || stream.as_str().contains(['.', '/'])
            || stream.instance().contains('-')
        {
            return Err(refused(NoName(stream.to_string())));
        }
        Ok(format!("{}{stream}", self.prefix))
    }

    /// The stream of an instance, as the server names it; none for a stream that is not ours.
    pub(crate) fn parse(&self, name: &str) -> Option<StreamName> {
        let own = name.strip_prefix(&self.prefix)?;
        let stream = StreamName::parse(own.to_owned()).ok()?;
        self.stream(&stream).is_ok().then_some(stream)
    }

    /// A regular expression for the names of all streams of a kind, and of one stream more.
    pub(crate) fn of_kind(&self, kind: &StreamKind, also: Option<&str>) -> String {
        let kind = format!(
            "{}[^$./-][^./-]*-{}",
            escaped(&self.prefix),
            escaped(kind.as_str())
        );
        match also {
            Some(stream) => format!("^({kind}|{})$", escaped(stream)),
            None => format!("^{kind}$"),
        }
    }

    /// The stream that says what the log was set up with.
    pub(crate) fn log(&self) -> String {
        format!("{}longhaul/log", self.prefix)
    }

    /// The stream of a reader's checkpoint.
    pub(crate) fn checkpoint(&self, reader: &str) -> String {
        format!("{}longhaul/checkpoint/{reader}", self.prefix)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} can be no stream: an instance's name may not begin with '$', or hold '-', '.' or '/'"
)]
struct NoName(String);

/// Takes its meaning from every character that has one in a regular expression.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> StreamKind {
        StreamKind::new("Process")
    }

    #[test]
    fn a_name_is_read_back_as_it_was_made() {
        let stream = StreamName::new("12EEQ9CS9K10", &kind());
        for (prefix, name) in [
            ("", "12EEQ9CS9K10-Process"),
            ("staging", "staging.12EEQ9CS9K10-Process"),
        ] {
            let names = Names::new(prefix);
            assert_eq!(names.stream(&stream).unwrap(), name);
            assert_eq!(names.parse(name), Some(stream.clone()));
        }
    }

    #[test]
    fn installations_do_not_take_in_each_others_streams() {
        let name = |prefix: &str| {
            let stream = StreamName::new("12EEQ9CS9K10", &kind());
            Names::new(prefix).stream(&stream).unwrap()
        };
        let prefixes = ["", "a", "ab", "a_b"];
        for own in prefixes {
            for other in prefixes {
                let found = Names::new(own).parse(&name(other));
                assert_eq!(found.is_some(), own == other, "{own:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_kind_is_the_end_of_a_name_without_dot_and_slash() {
        assert_eq!(
            Names::new("").of_kind(&kind(), None),
            "^[^$./-][^./-]*-Process$"
        );
        assert_eq!(
            Names::new("a_b").of_kind(&StreamKind::new("x+y"), Some("$ce-a")),
            "^(a_b\\.[^$./-][^./-]*-x\\+y|\\$ce\\-a)$"
        );
        let names = Names::new("a");
        assert_eq!(names.log(), "a.longhaul/log");
        assert_eq!(names.parse(&names.checkpoint("relay/x-Process")), None);
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for instance in ["$x", "a/b", "a.b", "a-b"] {
            for prefix in ["", "a"] {
                let stream = StreamName::new(instance, &kind());
                assert!(Names::new(prefix).stream(&stream).is_err(), "{instance}");
            }
        }
    }
}
