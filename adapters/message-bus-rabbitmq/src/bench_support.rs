//! The batch format by itself, to be measured where there is no broker. No part of the bus.

use contracts::Envelope;
use message_bus::Unreadable;

use crate::batch;

/// The body of an AMQP message that holds these messages, in their order.
///
/// # Errors
/// Never with messages as they are: their parts are text, and JSON already.
pub fn encode_batch(messages: &[&Envelope]) -> serde_json::Result<Vec<u8>> {
    batch::encode(messages).map(|(_, body)| body)
}

/// Reads back what [`encode_batch`] wrote; nothing where it is no batch.
pub fn decode_batch(body: &[u8]) -> Option<Vec<Result<Envelope, Unreadable>>> {
    batch::decode(body).ok()
}
