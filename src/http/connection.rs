//! Connections, so many at a time, each for as long as something moves on it.
//!
//! A client that sends a byte a minute, or nothing at all, would otherwise keep a descriptor for ever, and a few hundred
//! of them everything that the service has. A connection over the limit waits in the system's queue.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// A listener with limits.
#[derive(Debug)]
pub(super) struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
    silence: Duration,
}

impl Limited {
    /// Takes up to `most` connections at a time, and ends those on which nothing moves for `silence`.
    pub(super) fn new(listener: TcpListener, most: usize, silence: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)), silence }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        // axum's own listener knows which errors pass, and waits out those of a machine without descriptors.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small, and wait for nothing. A stream that refuses works without.
        drop(stream.set_nodelay(true));
        let silence = self.silence;
        (Connection { stream, quiet: Box::pin(sleep(silence)), silence, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself when nothing moves on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    quiet: Pin<Box<Sleep>>,
    silence: Duration,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// What came of an operation; that it is still under way counts against it.
    fn heard<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.quiet.as_mut().reset(Instant::now() + self.silence);
            return polled;
        }
        match self.quiet.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heard(polled, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.heard(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.heard(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn listener(most: usize, silence: Duration) -> (Limited, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Limited::new(listener, most, silence), address)
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_moves_ends() {
        let (mut listener, address) = listener(1, Duration::from_millis(20)).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        client.write_all(b"x").await.unwrap();
        let mut byte = [0];
        connection.read_exact(&mut byte).await.unwrap();
        let error = connection.read_exact(&mut byte).await.unwrap_err();
        assert_eq!((byte, error.kind()), (*b"x", io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn one_more_than_the_limit_waits_until_another_ends() {
        let (mut listener, address) = listener(1, Duration::from_secs(600)).await;
        let _clients =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let (first, _) = listener.accept().await;
        {
            let mut second = std::pin::pin!(listener.accept());
            let is_pending =
                std::future::poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending()));
            assert!(is_pending.await);
            drop(first);
            second.await;
        }
    }
}
