//! Calls that read: what they ask for, and the reads that end by themselves.

use std::sync::Arc;

use tonic::Status;

use crate::convert;
use crate::core::Core;
use crate::filter::{self, Filter, PAGE};
use crate::log::NONE;
use crate::output::{Closed, Output};
use crate::reading::{
    Place, StreamPage, all_backward, all_forward, stream_backward, stream_forward,
};
use crate::status;
use crate::subscription::{self, AllStart, Checkpoints, StreamStart, Subscription};
use crate::wire::streams::read_req::all_options::AllOption;
use crate::wire::streams::read_req::options::{CountOption, FilterOption, StreamOption};
use crate::wire::streams::read_req::stream_options::RevisionOption;
use crate::wire::streams::read_req::{AllOptions, Options, ReadDirection, StreamOptions};
use crate::wire::streams::read_resp::{Content, StreamNotFound};

/// What a call asks for.
#[derive(Debug)]
pub(crate) enum Plan {
    Stream(StreamRead),
    All(AllRead),
    Subscription(Subscription),
}

#[derive(Debug)]
pub(crate) struct StreamRead {
    name: String,
    direction: ReadDirection,
    /// [`NONE`] is the end.
    from: i64,
    count: u64,
    /// Callers that say so get the last, and sometimes the first number of the stream.
    tells_numbers: bool,
}

#[derive(Debug)]
pub(crate) struct AllRead {
    direction: ReadDirection,
    /// Nothing is the end.
    from: Option<Place>,
    count: u64,
    filter: Filter,
    window: usize,
}

pub(crate) fn is_subscription(options: &Options) -> bool {
    matches!(options.count_option, Some(CountOption::Subscription(_)))
}

pub(crate) fn plan(options: &Options) -> Result<Plan, Status> {
    let direction = options.read_direction();
    let stream = options
        .stream_option
        .as_ref()
        .ok_or_else(|| status::invalid_argument("StreamOptionOneofCase"))?;
    let invalid = || {
        Status::invalid_argument(
            "The combination of stream, count, direction and filter is invalid.",
        )
    };
    let filter = match options.filter_option.as_ref() {
        Some(FilterOption::Filter(filter)) => Some(filter),
        Some(FilterOption::NoFilter(_)) => None,
        None => return Err(invalid()),
    };
    match (stream, options.count_option.as_ref()) {
        (StreamOption::Stream(stream), Some(CountOption::Count(count))) if filter.is_none() => {
            let compatibility = options
                .control_option
                .map_or(0, |control| control.compatibility);
            Ok(Plan::Stream(StreamRead {
                name: stream_name(stream)?,
                direction,
                from: revision(stream)?,
                count: *count,
                tells_numbers: compatibility >= 1,
            }))
        }
        (StreamOption::All(all), Some(CountOption::Count(count))) => Ok(Plan::All(AllRead {
            direction,
            from: position(all)?,
            count: *count,
            filter: filter.map_or_else(|| Ok(Filter::everything()), Filter::parse)?,
            window: filter.map_or(Ok(PAGE), filter::window)?,
        })),
        (_, Some(CountOption::Subscription(_))) if direction == ReadDirection::Backwards => {
            Err(invalid())
        }
        (StreamOption::Stream(stream), Some(CountOption::Subscription(_))) if filter.is_none() => {
            let from = match stream.revision_option {
                Some(RevisionOption::Revision(number)) => StreamStart::After(number as i64),
                Some(RevisionOption::Start(_)) => StreamStart::Start,
                Some(RevisionOption::End(_)) => StreamStart::End,
                None => return Err(status::thrown()),
            };
            let name = stream_name(stream)?;
            Ok(Plan::Subscription(Subscription::Stream { name, from }))
        }
        (StreamOption::All(all), Some(CountOption::Subscription(_))) => {
            let from = match all.all_option.as_ref() {
                Some(AllOption::Position(place)) => AllStart::After(convert::place(place)),
                Some(AllOption::Start(_)) => AllStart::Start,
                Some(AllOption::End(_)) => AllStart::End,
                None => return Err(status::thrown()),
            };
            let checkpoints = filter.map(checkpoints).transpose()?;
            Ok(Plan::Subscription(Subscription::All {
                from,
                filter: filter.map_or_else(|| Ok(Filter::everything()), Filter::parse)?,
                checkpoints,
            }))
        }
        _ => Err(invalid()),
    }
}

/// Answers the call.
pub(crate) async fn answer(core: Arc<Core>, plan: Plan, output: Output) -> Result<(), Closed> {
    match plan {
        Plan::Subscription(subscription) => {
            let end = core.faults.subscriptions_end();
            tokio::select! {
                closed = subscription::serve(core, subscription, output) => closed,
                () = end.cancelled() => Ok(()),
            }
        }
        Plan::Stream(read) => {
            output.require_leader(&core).await?;
            read_stream(core, read, output).await
        }
        Plan::All(read) => {
            output.require_leader(&core).await?;
            read_all(core, read, output).await
        }
    }
}

async fn read_stream(core: Arc<Core>, read: StreamRead, output: Output) -> Result<(), Closed> {
    let is_forward = read.direction == ReadDirection::Forwards;
    if read.count == 0 || (is_forward && read.from < 0) {
        return output.fail(status::read_error()).await;
    }
    let page_size = PAGE.min(usize::try_from(read.count).unwrap_or(PAGE));
    let mut from = read.from;
    let mut sent = 0;
    loop {
        let page = if is_forward {
            stream_forward(&core.log(), &read.name, from, page_size)
        } else {
            stream_backward(&core.log(), &read.name, from, page_size)
        };
        let (records, next, last, is_end) = match page {
            StreamPage::NoStream => {
                let stream_identifier = Some(convert::identifier(&read.name));
                let not_found = StreamNotFound { stream_identifier };
                return output.send(Content::StreamNotFound(not_found)).await;
            }
            StreamPage::Deleted => {
                return output.fail(status::stream_deleted(&read.name)).await;
            }
            StreamPage::Events {
                records,
                next,
                last,
                is_end,
            } => (records, next, last, is_end),
        };
        let tells_first = read.tells_numbers && is_forward && sent == 0 && records.is_empty();
        if tells_first && from != next {
            output
                .send(Content::FirstStreamPosition(next as u64))
                .await?;
        }
        for record in records {
            if sent < read.count {
                output.send_event(&core, record).await?;
                sent += 1;
            }
        }
        if !is_end && sent < read.count {
            from = next;
            continue;
        }
        if read.tells_numbers {
            output
                .send(Content::LastStreamPosition(last as u64))
                .await?;
        }
        return Ok(());
    }
}

async fn read_all(core: Arc<Core>, read: AllRead, output: Output) -> Result<(), Closed> {
    let mut from = read.from.unwrap_or_else(|| Place::at(core.log().end()));
    if from.commit < 0 || from.prepare < 0 {
        return output
            .fail(Status::unknown("Unexpected ReadAllResult: Error"))
            .await;
    }
    if !core.log().is_boundary(from.commit) {
        return output.fail(status::invalid_position()).await;
    }
    let page_size = PAGE.min(usize::try_from(read.count).unwrap_or(PAGE));
    let mut left = read.count;
    while left > 0 {
        let page = if read.direction == ReadDirection::Forwards {
            all_forward(&core.log(), from, &read.filter, page_size, read.window)
        } else {
            all_backward(&core.log(), from, &read.filter, page_size, read.window)
        };
        for record in page.records {
            if left > 0 {
                output.send_event(&core, record).await?;
                left -= 1;
            }
        }
        if page.is_end {
            break;
        }
        from = page.next;
    }
    Ok(())
}

fn stream_name(stream: &StreamOptions) -> Result<String, Status> {
    let name = convert::name(stream.stream_identifier.as_ref());
    if name.is_empty() {
        return Err(status::thrown());
    }
    Ok(name)
}

fn revision(stream: &StreamOptions) -> Result<i64, Status> {
    match stream.revision_option {
        Some(RevisionOption::Revision(number)) => Ok(number as i64),
        Some(RevisionOption::Start(_)) => Ok(0),
        Some(RevisionOption::End(_)) => Ok(NONE),
        None => Err(status::thrown()),
    }
}

fn position(all: &AllOptions) -> Result<Option<Place>, Status> {
    match all.all_option.as_ref() {
        Some(AllOption::Position(place)) => {
            let place = convert::place(place);
            Ok((place != Place::HEAD).then_some(place))
        }
        Some(AllOption::Start(_)) => Ok(Some(Place::FIRST)),
        Some(AllOption::End(_)) => Ok(None),
        None => Err(status::thrown()),
    }
}

fn checkpoints(
    options: &crate::wire::streams::read_req::FilterOptions,
) -> Result<Checkpoints, Status> {
    let window = filter::window(options)?;
    let multiplier = options.checkpoint_interval_multiplier as usize;
    if multiplier == 0 {
        return Err(status::thrown());
    }
    let interval = window * multiplier;
    Ok(Checkpoints { window, interval })
}
