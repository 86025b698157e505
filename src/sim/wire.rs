//! The listener and its connections: loopback only, and each connection can be cut from inside, the
//! way a bad line would. Knows nothing of HTTP.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Listens on 127.0.0.1.
#[derive(Debug)]
pub(super) struct Loopback {
    inner: TcpListener,
    /// Cuts every connection at once.
    cut_all: CancellationToken,
}

impl Loopback {
    /// Binds to a port; `None` is any that is free.
    pub(super) async fn bind(port: Option<u16>, cut_all: CancellationToken) -> Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port.unwrap_or(0));
        Ok(Self { inner: TcpListener::bind(address).await?, cut_all })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.inner.local_addr()?.port())
    }
}

impl Listener for Loopback {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            match self.inner.accept().await {
                Ok((stream, peer)) => {
                    // Small answers must not wait for more to send; without it they are only slower.
                    let _ = stream.set_nodelay(true);
                    return (Line::new(stream, self.cut_all.child_token()), peer);
                }
                // Out of descriptors: wait for some to close.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Line {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        let cutting = Box::pin(cut.clone().cancelled_owned());
        Self { stream, cut, cutting }
    }

    /// Fails once the line is cut, and wakes this task when it is.
    fn whole(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if self.cut.is_cancelled() || self.cutting.as_mut().poll(cx).is_ready() {
            return Err(Error::from(ErrorKind::ConnectionAborted));
        }
        Ok(())
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.whole(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<Result<usize>> {
        self.whole(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A handle on the connection that a request came over.
#[derive(Debug, Clone)]
pub(super) struct Scissors(CancellationToken);

impl Scissors {
    /// Cuts the connection: nothing more is read or written.
    pub(super) fn cut(&self) {
        self.0.cancel();
    }
}

impl Connected<IncomingStream<'_, Loopback>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Loopback>) -> Self {
        Self(stream.io().cut.clone())
    }
}
