//! Pages of a stream and of `$all`, forward and backward.

use std::sync::Arc;

use crate::filter::Filter;
use crate::log::{DELETED, LINK_TYPE, Log, NONE, Record, now_ticks};

/// An event as a reader gets it: with `link` when it was found through one.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) event: Option<Arc<Record>>,
    pub(crate) link: Option<Arc<Record>>,
}

/// A part of a stream.
#[derive(Debug)]
pub(crate) enum StreamPage {
    NoStream,
    Deleted,
    Events {
        records: Vec<Arc<Record>>,
        /// Where the next page starts.
        next: i64,
        last: i64,
        is_end: bool,
    },
}

/// Events from `from` on, which is included.
pub(crate) fn stream_forward(log: &Log, stream: &str, from: i64, count: usize) -> StreamPage {
    let last = log.last_number(stream);
    let metadata = log.metadata(stream);
    if last == DELETED {
        return StreamPage::Deleted;
    }
    if last == NONE || metadata.is_deleted() {
        return StreamPage::NoStream;
    }
    let end = from.saturating_add(count as i64 - 1);
    let first = metadata.first_number(last);
    let page = |records, next, is_end| StreamPage::Events {
        records,
        next,
        last,
        is_end,
    };
    if end < first {
        // All that was asked for is gone: on with what is left.
        return page(Vec::new(), first, false);
    }
    if from.max(first) > last {
        return page(Vec::new(), last + 1, true);
    }
    let now = now_ticks();
    let records = (from.max(first)..=end.min(last))
        .filter_map(|number| log.record(stream, number))
        .filter(|record| metadata.is_young(record, now))
        .cloned()
        .collect();
    page(records, end.min(last) + 1, end >= last)
}

/// Events from `from` down, which is included; [`NONE`] is the last.
pub(crate) fn stream_backward(log: &Log, stream: &str, from: i64, count: usize) -> StreamPage {
    let last = log.last_number(stream);
    let metadata = log.metadata(stream);
    if last == DELETED {
        return StreamPage::Deleted;
    }
    if last == NONE || metadata.is_deleted() {
        return StreamPage::NoStream;
    }
    let from = if from < 0 { last } else { from };
    let first = metadata.first_number(last);
    let start = (from.saturating_sub(count as i64 - 1)).max(first);
    let now = now_ticks();
    let records = (start..=from.min(last))
        .rev()
        .filter_map(|number| log.record(stream, number))
        .filter(|record| metadata.is_young(record, now))
        .cloned()
        .collect();
    StreamPage::Events {
        records,
        next: (start - 1).min(last),
        last,
        is_end: start <= first,
    }
}

/// A place in `$all`: the start of a record, its end with 0, or what a caller made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) commit: i64,
    pub(crate) prepare: i64,
}

impl Place {
    /// Before the first record.
    pub(crate) const HEAD: Self = Self::at(-1);
    /// Of the first record.
    pub(crate) const FIRST: Self = Self::at(0);

    pub(crate) const fn at(position: i64) -> Self {
        Self {
            commit: position,
            prepare: position,
        }
    }

    /// Where a record starts.
    pub(crate) fn of(record: &Record) -> Self {
        Self::at(record.position)
    }
}

/// A part of `$all`.
#[derive(Debug)]
pub(crate) struct AllPage {
    pub(crate) records: Vec<Arc<Record>>,
    /// How many were looked at, those that the filter hides too.
    pub(crate) considered: usize,
    /// Where the next page starts.
    pub(crate) next: Place,
    pub(crate) is_end: bool,
}

/// Events from a place on, which is included.
pub(crate) fn all_forward(
    log: &Log,
    from: Place,
    filter: &Filter,
    count: usize,
    window: usize,
) -> AllPage {
    let mut page = AllPage {
        records: Vec::new(),
        considered: 0,
        next: from,
        is_end: false,
    };
    let start = log
        .records()
        .partition_point(|record| record.position < from.commit);
    let mut left = log.records()[start..].iter();
    while page.records.len() < count && page.considered < window {
        let Some(record) = left.next() else {
            page.is_end = true;
            break;
        };
        if Place::of(record) < from {
            continue;
        }
        page.considered += 1;
        page.next = Place {
            commit: record.end,
            prepare: 0,
        };
        if filter.allows(record) {
            page.records.push(Arc::clone(record));
        }
    }
    page
}

/// Events that end at a place or before it.
pub(crate) fn all_backward(
    log: &Log,
    from: Place,
    filter: &Filter,
    count: usize,
    window: usize,
) -> AllPage {
    let mut page = AllPage {
        records: Vec::new(),
        considered: 0,
        next: from,
        is_end: false,
    };
    let end = log
        .records()
        .partition_point(|record| Place::at(record.end) <= from);
    let mut left = log.records()[..end].iter().rev();
    while page.records.len() < count && page.considered < window {
        let Some(record) = left.next() else {
            page.is_end = true;
            break;
        };
        page.considered += 1;
        page.next = Place::of(record);
        if filter.allows(record) {
            page.records.push(Arc::clone(record));
        }
    }
    page
}

/// Follows a link, when that is asked for. What it points at may be gone.
pub(crate) fn resolve(log: &Log, record: Arc<Record>, follows_links: bool) -> Resolved {
    if !follows_links || record.event.event_type != LINK_TYPE {
        return Resolved {
            event: Some(record),
            link: None,
        };
    }
    let event = target(&record.event.data)
        .and_then(|(stream, number)| log.visible(stream, number))
        .cloned();
    Resolved {
        event,
        link: Some(record),
    }
}

/// The stream and the number that a link's data names.
fn target(data: &[u8]) -> Option<(&str, i64)> {
    let (number, stream) = std::str::from_utf8(data).ok()?.split_once('@')?;
    Some((stream, number.parse().ok()?))
}
