//! What other programs see of the service: the API under `/api/v1`, metrics, health (SEMANTICS S16 to S23).
//!
//! It asks the store on a connection that only reads, and has the engine do what changes something, which it sees
//! done before it answers. Nothing here decides: a window, an alert, a message is shown as it was committed.
//! [`route`] is the table of all there is, `openapi.json` its description.

mod alerts;
pub mod auth;
mod connection;
mod desk;
mod exposition;
mod external;
mod face;
mod features;
mod histogram;
mod ingest;
mod models;
mod operate;
mod origin;
mod outbox;
mod packed;
mod probe;
mod problem;
mod query;
mod reply;
mod route;
mod silences;
mod status;
mod windows;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::error;

use self::auth::Tokens;
use self::connection::Limited;
pub use self::face::Commands;
use self::face::Face;
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::serve::Service;

/// Connections at a time.
const CONNECTIONS: usize = 512;
/// How long a connection lasts on which nothing moves; a command that is under way may take so long.
const SILENCE: Duration = Duration::from_secs(300);
/// How long the end waits for answers that are under way.
const GRACE: Duration = Duration::from_secs(1);

/// Where the API is, and who may use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The tokens; none only on a loopback address.
    pub tokens: Tokens,
}

/// A server at work.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    ending: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Takes no more requests, and waits a moment for the answers to those that are under way: what was committed for
    /// somebody should be told.
    pub async fn close(self) {
        drop(self.ending);
        // One that does not read its answer is not waited for.
        drop(tokio::time::timeout(GRACE, self.task).await);
    }
}

/// Begins to answer for a service. The server is a task of the current runtime, and ends with it, or when it is let go.
///
/// # Errors
///
/// The address cannot be listened on, or is not a loopback one although there are no tokens.
pub async fn start(settings: &Settings, service: &Service, clock: &Arc<dyn Clock>) -> Result<Server> {
    serve(settings.listen, Face::of(service, settings.tokens.clone(), clock)).await
}

async fn serve(address: SocketAddr, face: Face) -> Result<Server> {
    if face.tokens.is_empty() && !address.ip().is_loopback() {
        let port = address.port();
        return Err(Error::input(format!(
            "`{address}` can be reached from other machines: write `tokens`, or listen on `127.0.0.1:{port}`"
        )));
    }
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => ": another program does: end it, or give `listen` another port",
            ErrorKind::AddrNotAvailable => {
                ": this machine has no such address: give `listen` one that it has"
            }
            ErrorKind::PermissionDenied => {
                ": this takes a right that the service does not have: use a port above 1023"
            }
            _ => "",
        };
        Error::run(format!("cannot listen on `{address}`{hint}")).because(error)
    })?;
    let bound = listener
        .local_addr()
        .map_err(|error| Error::run(format!("cannot tell the port of `{address}`")).because(error))?;
    let router = route::router(Arc::new(face));
    let (ending, ended) = oneshot::channel();
    // Its other end is dropped with the server.
    let until = async move { drop(ended.await) };
    let task = tokio::spawn(async move {
        let served = axum::serve(Limited::new(listener, CONNECTIONS, SILENCE), router);
        if let Err(error) = served.with_graceful_shutdown(until).await {
            error!(%error, "the HTTP API has ended");
        }
    });
    Ok(Server { address: bound, ending, task })
}
