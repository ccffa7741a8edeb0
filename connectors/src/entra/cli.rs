//! Azure CLI, for those who develop: the token of whoever has signed in with `az login`.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value as Json;

use super::AccessToken;
use crate::error::{Error, Result};

/// How long it may take: it is a Python program that may ask Entra.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer output holds no token, in bytes.
const LONGEST: u64 = 256 << 10;

/// Asks `program`, which is `az`, for a token. `now` is in milliseconds since the epoch.
///
/// # Errors
/// Misconfigured, if it cannot be started or gives no token of this form; Rejected, if it says why; Unavailable, if it
/// takes too long.
pub(super) fn ask(program: &OsStr, tenant: Option<&str>, resource: &str, now: i64) -> Result<AccessToken> {
    ask_within(program, tenant, resource, now, PATIENCE)
}

pub(super) fn ask_within(
    program: &OsStr,
    tenant: Option<&str>,
    resource: &str,
    now: i64,
    patience: Duration,
) -> Result<AccessToken> {
    let mut command = Command::new(program);
    command.args(["account", "get-access-token", "--resource", resource, "-o", "json"]);
    if let Some(tenant) = tenant {
        command.args(["--tenant", tenant]);
    }
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| {
        Error::misconfigured("no token of Azure CLI: `az` cannot be started; install it, or leave `cli` out")
            .with_source(error)
    })?;
    let output = listen(child.stdout.take());
    let errors = listen(child.stderr.take());
    let Ok(output) = output.recv_timeout(patience) else {
        // What it has started itself may live on; who listens to it is told by nobody.
        drop(child.kill());
        drop(child.wait());
        return Err(Error::unavailable(format!(
            "no token of Azure CLI: `az` did not answer within {} s",
            patience.as_secs()
        )));
    };
    let status = child
        .wait()
        .map_err(|error| Error::unavailable("no token of Azure CLI: it broke off").with_source(error))?;
    if !status.success() {
        let said = errors.recv_timeout(patience).unwrap_or_default();
        return Err(Error::rejected(format!(
            "no token of Azure CLI: it says `{}`; sign in with `az login`",
            first_line(&said)
        )));
    }
    token(&output, now)
}

/// What comes out, once it has ended.
fn listen(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What was read before it broke off is judged by what it is.
            drop(stream.take(LONGEST).read_to_end(&mut bytes));
        }
        drop(sender.send(bytes));
    });
    receiver
}

fn token(output: &[u8], now: i64) -> Result<AccessToken> {
    let json: Json = serde_json::from_slice(output).unwrap_or_default();
    let missing = |key: &str| {
        Error::misconfigured(format!(
            "no token of Azure CLI: its answer has no `{key}`; expected version 2.54 or newer, see `az upgrade`"
        ))
    };
    let value = json["accessToken"].as_str().filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| missing("accessToken"))?.to_owned();
    let expires = json["expires_on"].as_i64().map(|seconds| seconds.saturating_mul(1_000));
    let expires = expires.filter(|end| *end > now).ok_or_else(|| missing("expires_on"))?;
    Ok(AccessToken { value, expires })
}

fn first_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
    line.chars().take(300).collect()
}
