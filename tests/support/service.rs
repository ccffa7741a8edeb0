//! A running `driftlead serve`, as a child process that a test can stop, kill and start again on the same folder.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use driftlead_connectors::store::{Reader, Segments, StoredWindow, WindowFilter};

use super::folder::Folder;

/// Longer than a slow machine needs, so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(120);

/// The process.
pub(crate) struct Service {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Service {
    /// Starts `driftlead serve service.yaml` in `folder`, with these variables.
    pub(crate) fn start(folder: &Folder, variables: &[(&str, &str)]) -> Self {
        Self::spawn(folder, variables, Stdio::null())
    }

    /// The same, with a standard input that the test writes.
    pub(crate) fn with_input(folder: &Folder) -> (Self, ChildStdin) {
        let mut service = Self::spawn(folder, &[], Stdio::piped());
        let input = service.child.stdin.take().expect("a pipe");
        (service, input)
    }

    fn spawn(folder: &Folder, variables: &[(&str, &str)], input: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftlead"));
        command.args(["serve", &folder.path("service.yaml"), "--log-format", "json"]);
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped()).envs(variables.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, log: Vec::new() }
    }

    /// Waits until a log line holds `text`, and answers it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no `{text}` in time: {:#?}", self.log),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without `{text}`: {:#?}", self.log),
            }
        }
    }

    /// The address of its HTTP server.
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for("listening");
        let line: serde_json::Value = serde_json::from_str(&line).expect("a log line is JSON");
        line["address"].as_str().expect("an address").to_owned()
    }

    /// Asks it to read its settings again.
    pub(crate) fn hang_up(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::HUP).expect("it runs");
    }

    /// Halts it, as a debugger or a busy hypervisor does, or lets it go on.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        use rustix::process::Signal;
        let id = rustix::process::Pid::from_child(&self.child);
        let signal = if is_frozen { Signal::STOP } else { Signal::CONT };
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// Asks it to end, as a supervisor does, and waits for that.
    pub(crate) fn stop(self) -> (ExitStatus, Vec<String>) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
        self.wait()
    }

    /// The same, and holds it to have ended well.
    pub(crate) fn stop_well(self) -> Vec<String> {
        well(self.stop())
    }

    /// As [`wait`](Self::wait), and holds it to have ended well.
    pub(crate) fn wait_well(self) -> Vec<String> {
        well(self.wait())
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    drop(self.child.kill());
                    panic!("did not end in time: {:#?}", self.log);
                }
            }
        }
        let status = self.child.wait().expect("it has ended");
        (status, std::mem::take(&mut self.log))
    }
}

fn well((status, log): (ExitStatus, Vec<String>)) -> Vec<String> {
    assert!(status.success(), "{status}: {log:#?}");
    log
}

impl Drop for Service {
    #[expect(clippy::print_stderr, reason = "what a test that fails shows")]
    fn drop(&mut self) {
        // A test that fails must not leave it behind; one that has ended is no error.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            self.log.extend(self.lines.iter());
            eprintln!("the service said: {:#?}", self.log);
        }
    }
}

/// What an address answers to a question for a path, head and all.
pub(crate) fn asked(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// The sum of a metric over all its labels; 0 if it is not there.
pub(crate) fn metric(address: &str, name: &str) -> u64 {
    let text = asked(address, "/metrics");
    let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
    values.map(|(_, value)| value.parse::<f64>().expect("a number") as u64).sum()
}

/// All windows that the store in `folder` holds of a model, whole and segments, in their last revision, by end and segment.
pub(crate) fn stored_windows(folder: &Folder, model: &str) -> Vec<StoredWindow> {
    let reader = match Reader::open(folder.path("state").as_ref()) {
        Ok(reader) => reader,
        // One that is being made has no file yet, or has not taken all of its steps.
        Err(error)
            if ["holds no store", "start `driftlead serve` once"]
                .iter()
                .any(|text| error.to_string().contains(text)) =>
        {
            return Vec::new();
        }
        Err(error) => panic!("{error}"),
    };
    let filter = WindowFilter {
        model: model.to_owned(),
        version: None,
        name: None,
        segment: Segments::Any,
        since: None,
        until: None,
        is_final: None,
    };
    let mut windows = Vec::new();
    let mut cursor = None;
    loop {
        let page = reader.windows(&filter, cursor.as_deref(), 1000).expect("a page");
        windows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    windows.sort_by(|a, b| (a.end, &a.name, &a.segment).cmp(&(b.end, &b.name, &b.segment)));
    windows
}

/// Waits until `condition` holds, looking again and again: for what another process does without telling.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
