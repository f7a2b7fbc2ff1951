//! The calls that write, and where calls that read begin.

use std::pin::Pin;
use std::sync::Arc;

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::commit_check::Expected;
use crate::convert;
use crate::core::{Appended, Core};
use crate::faults::Faults;
use crate::listener::Scissors;
use crate::log::{Log, NewEvent};
use crate::output::{BUFFER, Output};
use crate::read_call::{self, Plan};
use crate::status;
use crate::wire::Empty;
use crate::wire::streams::append_req::Content;
use crate::wire::streams::read_req::options::FilterOption;
use crate::wire::streams::read_req::uuid_option;
use crate::wire::streams::streams_server::Streams;
use crate::wire::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, Expectation,
    Position, ReadReq, ReadResp, TombstoneReq, TombstoneResp, delete_resp, tombstone_resp,
};
use crate::writing::{self, Written};

/// The default of a real server.
const MAXIMUM_APPEND_SIZE: usize = 1024 * 1024;
/// A message may not be larger than a record, less what a record has besides.
const MAXIMUM_MESSAGE_SIZE: usize = 16 * 1024 * 1024 - 10_000;

type Answers = Pin<Box<dyn Stream<Item = Result<ReadResp, Status>> + Send>>;

#[derive(Debug)]
pub(crate) struct StreamsService {
    pub(crate) core: Arc<Core>,
    /// Ends with the server.
    pub(crate) process: CancellationToken,
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = Answers;
    type BatchAppendStream = Pin<Box<dyn Stream<Item = Result<BatchAppendResp, Status>> + Send>>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Answers>, Status> {
        let requires_leader = requires_leader(request.metadata());
        let options = request.into_inner().options.ok_or_else(status::thrown)?;
        let is_subscription = read_call::is_subscription(&options);
        let counter = if is_subscription {
            &self.core.faults.subscriptions
        } else {
            &self.core.faults.reads
        };
        Faults::count(counter);
        self.core.faults.pass().await;
        if !is_subscription && matches!(options.filter_option, Some(FilterOption::Filter(_))) {
            self.core.faults.look().await;
        }
        let short = if is_subscription {
            None
        } else {
            self.core.faults.next_short_read()
        };
        let ids = options.uuid_option.as_ref().ok_or_else(status::thrown)?;
        let (answers, mut receiver) = mpsc::channel(BUFFER);
        let output = Output {
            core: Arc::clone(&self.core),
            answers,
            follows_links: options.resolve_links,
            ids_as_text: matches!(ids.content, Some(uuid_option::Content::String(_))),
            requires_leader,
        };
        if self.core.faults.denies_access() {
            return Err(status::access_denied());
        }
        let plan = read_call::plan(&options)?;
        tokio::spawn(run(
            Arc::clone(&self.core),
            plan,
            output,
            self.process.clone(),
        ));
        // An error before the first answer is the call's own: headers go with the first answer.
        let Some(first) = receiver.recv().await else {
            return Ok(Response::new(Box::pin(tokio_stream::empty())));
        };
        let first = first?;
        let all = tokio_stream::once(Ok(first)).chain(ReceiverStream::new(receiver));
        Ok(Response::new(match short {
            Some(answers) => Box::pin(all.take(answers)),
            None => Box::pin(all),
        }))
    }

    async fn append(
        &self,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        Faults::count(&self.core.faults.appends);
        self.core.faults.pass().await;
        let requires_leader = requires_leader(request.metadata());
        let scissors = request.extensions().get::<Scissors>().cloned();
        let mut messages = request.into_inner();
        let Some(Content::Options(options)) = next(&mut messages).await? else {
            return Err(status::thrown());
        };
        let expected = convert::expected(&options)?;
        let stream = convert::name(options.stream_identifier.as_ref());
        if self.core.faults.denies_access() {
            return Err(status::access_denied());
        }
        let events = collect(&mut messages).await?;
        self.check_write(&stream, requires_leader)?;

        let answer = self.append_in_turn(stream.clone(), expected, events);
        let answered = answer.await;
        self.core.faults.pass().await;
        match answered {
            Appended::Answer(Written::Repeated { .. }) if self.core.faults.next_silence() => {
                std::future::pending().await
            }
            Appended::Answer(
                Written::Done { last, position } | Written::Repeated { last, position },
            ) => Ok(Response::new(convert::success(last, position))),
            Appended::Answer(Written::WrongVersion { current }) => {
                Ok(Response::new(convert::wrong_version(expected, current)))
            }
            Appended::Answer(Written::Deleted) => Err(status::stream_deleted(&stream)),
            Appended::TimedOut => Err(status::timed_out()),
            Appended::Cut | Appended::Gone => {
                if let Some(scissors) = scissors {
                    scissors.cut();
                }
                // Nothing is answered on a connection that is cut.
                std::future::pending().await
            }
        }
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let metadata = request.metadata().clone();
        let options = request.into_inner().options;
        let position = self
            .end_stream(options, &metadata, writing::delete)
            .await?
            .map_or(
                delete_resp::PositionOption::NoPosition(Empty {}),
                delete_resp::PositionOption::Position,
            );
        Ok(Response::new(DeleteResp {
            position_option: Some(position),
        }))
    }

    async fn tombstone(
        &self,
        request: Request<TombstoneReq>,
    ) -> Result<Response<TombstoneResp>, Status> {
        let metadata = request.metadata().clone();
        let options = request.into_inner().options;
        let position = self
            .end_stream(options, &metadata, writing::tombstone)
            .await?
            .map_or(
                tombstone_resp::PositionOption::NoPosition(Empty {}),
                tombstone_resp::PositionOption::Position,
            );
        Ok(Response::new(TombstoneResp {
            position_option: Some(position),
        }))
    }

    async fn batch_append(
        &self,
        _: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        Err(Status::unimplemented("Service is unimplemented."))
    }
}

impl StreamsService {
    /// A call that has gone is not written, but one whose turn has come is.
    async fn append_in_turn(
        &self,
        stream: String,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Appended {
        let caller = CancellationToken::new();
        let _gone_with_the_call = caller.clone().drop_guard();
        let core = Arc::clone(&self.core);
        let write = core.append(self.process.clone(), caller, move |log| {
            writing::append(log, &stream, expected, events)
        });
        tokio::spawn(write).await.unwrap_or(Appended::Gone)
    }

    async fn end_stream(
        &self,
        options: Option<Expectation>,
        metadata: &MetadataMap,
        write: fn(&mut Log, &str, Expected) -> Written,
    ) -> Result<Option<Position>, Status> {
        self.core.faults.pass().await;
        let options = options.ok_or_else(status::thrown)?;
        let expected = convert::expected(&options)?;
        let stream = convert::name(options.stream_identifier.as_ref());
        if self.core.faults.denies_access() {
            return Err(status::access_denied());
        }
        self.check_write(&stream, requires_leader(metadata))?;
        let written = self.core.write(|log| write(log, &stream, expected)).await;
        self.core.faults.pass().await;
        match written {
            Written::Done { position, .. } | Written::Repeated { position, .. } => {
                Ok(position.map(convert::to_position))
            }
            Written::Deleted => Err(status::stream_deleted(&stream)),
            Written::WrongVersion { current } => Err(status::wrong_expected_version(
                "Delete",
                &stream,
                convert::expected_number(expected),
                current,
            )),
        }
    }

    fn check_write(&self, stream: &str, requires_leader: bool) -> Result<(), Status> {
        // Nothing has no name, and so no metadata.
        if stream.is_empty() || stream == "$$" {
            return Err(status::thrown());
        }
        // Without the demand, a node that does not lead hands the write to the one that does.
        match self.core.faults.leader() {
            Some(leader) if requires_leader => Err(status::not_leader(&leader)),
            _ => Ok(()),
        }
    }
}

/// Answers a read or a subscription, until all is said or the server ends.
async fn run(core: Arc<Core>, plan: Plan, output: Output, process: CancellationToken) {
    tokio::select! {
        // Nobody listens any more when it says that the call has closed.
        _ = read_call::answer(core, plan, output) => {}
        () = process.cancelled() => {}
    }
}

async fn collect(messages: &mut Streaming<AppendReq>) -> Result<Vec<NewEvent>, Status> {
    let mut events = Vec::new();
    let mut size = 0;
    while let Some(content) = next(messages).await? {
        let Content::ProposedMessage(message) = content else {
            return Err(status::thrown());
        };
        let event = convert::new_event(message)?;
        size += convert::size_on_disk(&event);
        if size > MAXIMUM_APPEND_SIZE {
            return Err(status::maximum_append_size_exceeded(MAXIMUM_APPEND_SIZE));
        }
        events.push(event);
    }
    Ok(events)
}

async fn next(messages: &mut Streaming<AppendReq>) -> Result<Option<Content>, Status> {
    let Some(message) = messages.message().await? else {
        return Ok(None);
    };
    if message.encoded_len() > MAXIMUM_MESSAGE_SIZE {
        return Err(status::message_too_large());
    }
    message.content.map(Some).ok_or_else(status::thrown)
}

fn requires_leader(metadata: &MetadataMap) -> bool {
    metadata
        .get("requires-leader")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
