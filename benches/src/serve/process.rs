//! `driftlead serve` as a child, watched from outside: what it has counted, how long it has run, how much it holds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// A running service.
pub(crate) struct Served {
    child: Child,
    address: String,
}

/// A process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    /// Rows that it has counted.
    pub(crate) rows: u64,
    /// CPU seconds so far, user and system.
    pub(crate) cpu: f64,
}

impl Served {
    /// Starts `driftlead serve service.yaml` in `folder`, the program beside this one, and waits until it listens.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe()?.with_file_name("driftlead");
        let mut child = Command::new(&program)
            .arg("serve")
            .arg(folder.join("service.yaml"))
            .args(["--log-format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{}`: {error}: build it first", program.display()))?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        let (mut line, mut seen) = (String::new(), String::new());
        let address = loop {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err(format!("it ended: {seen}").into());
            }
            if line.contains("\"listening\"") {
                let (_, rest) = line.split_once("\"address\":\"").ok_or("a log line without an address")?;
                break rest.split('"').next().unwrap_or_default().to_owned();
            }
            seen.push_str(&line);
        };
        // Whoever writes into a full pipe waits for ever.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { child, address })
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64, Failure> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let own = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let values = own.filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().map_err(Failure::from)).sum()
    }

    pub(crate) fn sample(&self) -> Result<Sample, Failure> {
        let rows = self.metric("driftlead_rows_total")? as u64;
        Ok(Sample { at: Instant::now(), rows, cpu: cpu_seconds(self.child.id())? })
    }

    /// Looks every few milliseconds until `rows` were counted; the first look that found some, and the last.
    pub(crate) fn until(&self, rows: u64) -> Result<(Sample, Sample), Failure> {
        let mut first: Option<Sample> = None;
        let deadline = Instant::now() + Duration::from_secs(600);
        loop {
            let now = self.sample()?;
            if now.rows > 0 {
                let first = *first.get_or_insert(now);
                if now.rows >= rows {
                    return Ok((first, now));
                }
            }
            if now.at > deadline {
                return Err(format!("{} of {rows} rows after ten minutes", now.rows).into());
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
    }

    /// Resident megabytes: now, and at most.
    pub(crate) fn megabytes(&self) -> Result<(f64, f64), Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |key: &str| -> Result<f64, Failure> {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok((read("VmRSS:")?, read("VmHWM:")?))
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// CPU seconds of a process so far, user and system.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).map_or(Ok(0), |text| text.parse::<u64>());
    Ok((ticks(11)? + ticks(12)?) as f64 / 100.0)
}
