//! Connections that can be cut at once, as when a process is killed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// Cuts a connection; every request knows that of its own.
#[derive(Debug, Clone)]
pub(crate) struct Scissors(CancellationToken);

impl Scissors {
    pub(crate) fn cut(&self) {
        self.0.cancel();
    }
}

/// The connections that are made, until `process` ends.
pub(crate) fn connections(
    listener: TcpListener,
    process: CancellationToken,
) -> impl Stream<Item = io::Result<Socket>> {
    TcpListenerStream::new(listener).map(move |tcp| Ok(Socket::new(tcp?, process.child_token())))
}

/// A connection that fails as soon as it is cut.
pub(crate) struct Socket {
    tcp: TcpStream,
    scissors: CancellationToken,
    is_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Socket {
    fn new(tcp: TcpStream, scissors: CancellationToken) -> Self {
        // Latency only: a failure changes nothing that is answered.
        let _ = tcp.set_nodelay(true);
        let is_cut = Box::pin(scissors.clone().cancelled_owned());
        Self {
            tcp,
            scissors,
            is_cut,
        }
    }

    /// Fails when it is cut, and sees to it that the task is woken then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.is_cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Socket {
    type ConnectInfo = Scissors;

    fn connect_info(&self) -> Scissors {
        Scissors(self.scissors.clone())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
