//! `driftlead serve`: watches streams until it is told to stop.

use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;
use tracing::{error, info};

use crate::cli::Serve;
use crate::clock::{Clock, SystemClock};
use crate::config::fleet::Fleet;
use crate::exit::{Error, Result, code};
use crate::interrupt;
use crate::serve::plan::Plan;
use crate::serve::{End, Service, build};
use crate::{http, telemetry};

/// Runs the service that a service file describes.
///
/// # Errors
///
/// The file or what it names is wrong, or the service cannot go on.
pub fn run(args: &Serve) -> Result<u8> {
    telemetry::begin(args.log_format, args.log_level);
    super::use_threads(args.threads)?;
    let fleet = Fleet::load(&args.file)?;
    let environment = |name: &str| std::env::var(name).ok();
    let plan = Plan::of(&args.file, &fleet, &environment)?;
    let settings =
        http::Settings { listen: fleet.service.listen, tokens: build::tokens(&fleet.service, &environment)? };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("io")
        .enable_all()
        .build()
        .map_err(|error| Error::run("cannot start the runtime").because(error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let remotes = Arc::new(Remotes::default());
    let service = Service::start(plan, &remotes, &clock, runtime.handle())?;
    let commands = service.commands();
    commands.hold(fleet.service, settings.tokens.clone());
    interrupt::on_request({
        let commands = commands.clone();
        move || commands.stop()
    });
    interrupt::on_hangup(move || match commands.reload("SIGHUP") {
        Ok(text) => info!(text, "SIGHUP"),
        Err(error) => error!(error = error.chain(), "SIGHUP: not reloaded"),
    });
    let server = match runtime.block_on(http::start(&settings, &service, &clock)) {
        Ok(server) => server,
        Err(error) => {
            // What was begun is ended cleanly.
            service.commands().stop();
            service.wait()?;
            return Err(error);
        }
    };
    info!(address = %server.address, "listening");
    let end = service.wait();
    // Who waits for an answer has it in hand now, whatever the end.
    runtime.block_on(server.close());
    let end = end?;
    info!(
        end = match end {
            End::Stopped => "asked to",
            End::Exhausted => "every source has ended",
        },
        "stopped"
    );
    Ok(code::OK)
}
