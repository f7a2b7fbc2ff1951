//! Reading with the client, each answer to its end.

use kurrentdb::{
    Client, Error, ReadAllOptions, ReadStream, ReadStreamOptions, RecordedEvent, Result,
    StreamPosition,
};

/// The events of a stream; none where there is no such stream.
pub(crate) async fn read_events(
    client: Client,
    stream: String,
    options: ReadStreamOptions,
) -> Result<Vec<RecordedEvent>> {
    let options = options.requires_leader(true);
    let found = match client.read_stream(stream, &options).await {
        Ok(answer) => collect(answer).await,
        Err(error) => Err(error),
    };
    match found {
        Err(Error::ResourceNotFound) => Ok(Vec::new()),
        found => found,
    }
}

/// The last event of all.
pub(crate) async fn read_last_event(client: Client) -> Result<Option<RecordedEvent>> {
    let options = ReadAllOptions::default()
        .position(StreamPosition::End)
        .max_count(1)
        .requires_leader(true);
    Ok(collect(client.read_all(&options).await?).await?.pop())
}

async fn collect(mut answer: ReadStream) -> Result<Vec<RecordedEvent>> {
    let mut events = Vec::new();
    loop {
        match answer.next().await {
            Ok(Some(event)) => events.extend(event.event),
            Ok(None) => return Ok(events),
            Err(error) => {
                read_to_the_end(answer).await;
                return Err(error);
            }
        }
    }
}

/// Reads what is left of an answer. One that is given up is taken back from the server; what it has sent
/// by then is for a request that is forgotten, and after a thousand of these the client's own HTTP/2
/// closes the connection.
pub(crate) async fn read_to_the_end(mut answer: ReadStream) {
    while let Ok(Some(_)) = answer.next().await {}
}
