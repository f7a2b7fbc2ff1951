//! A message bus over RabbitMQ.
