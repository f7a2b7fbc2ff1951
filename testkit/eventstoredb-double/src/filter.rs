//! Which records of `$all` a reader is shown.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use tonic::Status;

use crate::log::{EPOCH_STREAM, Record};
use crate::status;
use crate::wire::streams::read_req::filter_options::{Filter as On, Window};
use crate::wire::streams::read_req::{Expression, FilterOptions};

/// How many events a page holds, and considers when the caller names no window.
pub(crate) const PAGE: usize = 32;

/// A choice among the records of `$all`. Some of the system's own are never shown.
#[derive(Debug)]
pub(crate) struct Filter(Option<(Part, Pattern)>);

#[derive(Debug)]
enum Part {
    Stream,
    EventType,
}

#[derive(Debug)]
enum Pattern {
    Regex(Regex),
    Prefixes(Vec<String>),
}

impl Filter {
    /// What a reader without a filter sees.
    pub(crate) fn everything() -> Self {
        Self(None)
    }

    pub(crate) fn parse(options: &FilterOptions) -> Result<Self, Status> {
        let chosen = match options.filter.as_ref() {
            Some(On::StreamIdentifier(expression)) => (Part::Stream, pattern(expression)?),
            Some(On::EventType(expression)) => (Part::EventType, pattern(expression)?),
            None => return Err(status::invalid_argument("filter")),
        };
        Ok(Self(Some(chosen)))
    }

    pub(crate) fn allows(&self, record: &Record) -> bool {
        if is_hidden(&record.stream) {
            return false;
        }
        let Some((part, pattern)) = &self.0 else {
            return true;
        };
        let text: &str = match part {
            Part::Stream => &record.stream,
            Part::EventType => &record.event.event_type,
        };
        match pattern {
            Pattern::Regex(regex) => regex.is_match(text),
            Pattern::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
        }
    }
}

/// How many events one page considers.
pub(crate) fn window(options: &FilterOptions) -> Result<usize, Status> {
    match options.window {
        Some(Window::Max(max)) => Ok(max as usize),
        Some(Window::Count(_)) => Ok(PAGE),
        None => Err(status::invalid_argument("window")),
    }
}

/// With a regular expression, prefixes are ignored.
fn pattern(expression: &Expression) -> Result<Pattern, Status> {
    if expression.regex.is_empty() {
        return Ok(Pattern::Prefixes(expression.prefix.clone()));
    }
    compiled(&expression.regex)
        .map(Pattern::Regex)
        .map_err(|_| status::thrown())
}

/// To compile an expression takes longer than to read a page by it, and readers come again with the same.
fn compiled(expression: &str) -> Result<Regex, regex::Error> {
    static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(expression) {
        return Ok(regex.clone());
    }
    let regex = Regex::new(expression)?;
    known.insert(expression.to_owned(), regex.clone());
    Ok(regex)
}

fn is_hidden(stream: &str) -> bool {
    let is_group = stream.starts_with("$persistentsubscription-$all::")
        && (stream.ends_with("-checkpoint") || stream.ends_with("-parked"));
    stream == EPOCH_STREAM || is_group
}
