//! Azurite, Microsoft's emulator of Blob Storage, for tests: installed once, one process a test binary, a container a
//! test. Everything stays on the loopback address and in memory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::{ObjectStore, ObjectStoreExt};

/// The newest that runs on Node 20.
const VERSION: &str = "3.35.0";
/// Longer than a slow machine needs, so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(120);

/// The account that every installation has.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";

/// Ends with its standard input, so that it never outlives the tests, however they end.
const RUN: &str = "process.stdin.on('end', () => process.exit(0)).resume();
const [root, ...options] = process.argv.slice(1);
process.argv = [process.argv[0], 'azurite-blob', ...options];
require(root + '/node_modules/azurite/dist/src/blob/main.js');";

/// The object store crate cannot make containers: a signed request does.
const CREATE: &str = "const [url, account, container, key] = process.argv.slice(1);
const crypto = require('crypto');
const date = new Date().toUTCString();
const headers = { 'x-ms-date': date, 'x-ms-version': '2021-08-06' };
const text = ['PUT', ...Array(11).fill(''), 'x-ms-date:' + date, 'x-ms-version:2021-08-06',
  `/${account}/${account}/${container}`, 'restype:container'].join('\\n');
const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
headers.Authorization = `SharedKey ${account}:${signature}`;
fetch(`${url}/${account}/${container}?restype=container`, { method: 'PUT', headers })
  .then(async (answer) => { if (answer.status !== 201) throw new Error(answer.status + await answer.text()); })
  .catch((error) => { console.error(error); process.exit(1); });";

/// Nor can it write append blobs: the bytes of the standard input stand behind those of the blob, which is made if there is
/// none.
const APPEND: &str = "const [url, account, path, key] = process.argv.slice(1);
const crypto = require('crypto');
const body = require('fs').readFileSync(0);
function put(query, headers, body) {
  const own = { ...headers, 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-08-06' };
  const names = Object.keys(own).sort();
  const length = body && body.length ? String(body.length) : '';
  const text = ['PUT', '', '', length, ...Array(8).fill(''), ...names.map((name) => name + ':' + own[name]),
    `/${account}/${account}/${path}`, ...(query ? [query.replace('=', ':')] : [])].join('\\n');
  const signature = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
  own.Authorization = `SharedKey ${account}:${signature}`;
  return fetch(`${url}/${account}/${path}${query ? '?' + query : ''}`, { method: 'PUT', headers: own, body });
}
async function append() { return put('comp=appendblock', {}, body); }
async function run() {
  let answer = await append();
  if (answer.status === 404) {
    answer = await put('', { 'x-ms-blob-type': 'AppendBlob' });
    if (answer.status === 201 && body.length) answer = await append();
  }
  if (answer.status !== 201) throw new Error(answer.status + await answer.text());
}
run().catch((error) => { console.error(error); process.exit(1); });";

/// Its published key, no secret.
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The running emulator.
pub(crate) struct Azurite {
    url: String,
    log: Arc<Log>,
    containers: AtomicUsize,
    _process: Child,
    _lifeline: ChildStdin,
}

/// The lines that it has printed, one a request.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    /// Waits for a line with `text` in it; its place and itself.
    fn wait_for(&self, text: &str) -> (usize, String) {
        let lines = self.lines.lock().unwrap();
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(text));
        let (lines, outcome) = self.grown.wait_timeout_while(lines, PATIENCE, missing).unwrap();
        assert!(!outcome.timed_out(), "Azurite never printed `{text}`:\n{}", lines.join("\n"));
        let place = lines.iter().position(|line| line.contains(text)).unwrap();
        (place, lines[place].clone())
    }
}

/// The emulator of this test binary, started when first asked for.
///
/// # Panics
/// If Node or npm are missing, or the emulator cannot be installed or started: these tests fail, they are not skipped.
pub(crate) fn azurite() -> &'static Azurite {
    static RUNNING: OnceLock<Azurite> = OnceLock::new();
    RUNNING.get_or_init(|| Azurite::start(&install()))
}

impl Azurite {
    fn start(root: &Path) -> Self {
        let mut process = Command::new("node")
            .args(["-e", RUN, "--"])
            .arg(root)
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"])
            .args(["--disableTelemetry", "--skipApiVersionCheck"])
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs: install Node.js to run these tests");
        let lifeline = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                writer.lines.lock().unwrap().push(line);
                writer.grown.notify_all();
            }
        });
        let (_, line) = log.wait_for("successfully listen");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let url = url.trim_end_matches(['/', '.']).to_owned();
        Self { url, log, containers: AtomicUsize::new(0), _process: process, _lifeline: lifeline }
    }

    /// Where it listens, `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes a container that no other test uses.
    pub(crate) fn container(&self) -> String {
        let name = format!("test-{}", self.containers.fetch_add(1, Ordering::Relaxed));
        let status =
            Command::new("node").args(["-e", CREATE, "--", &self.url, ACCOUNT, &name, KEY]).status().unwrap();
        assert!(status.success(), "container `{name}` could not be made");
        name
    }

    /// Adds bytes to an append blob, which is made if there is none; at most 4 MiB.
    pub(crate) fn append(&self, container: &str, key: &str, bytes: &str) {
        let path = format!("{container}/{key}");
        let mut process = Command::new("node")
            .args(["-e", APPEND, "--", &self.url, ACCOUNT, &path, KEY])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(bytes.as_bytes()).unwrap();
        assert!(process.wait().unwrap().success(), "`{path}` could not be added to");
    }

    /// The variables that lead to it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", self.url())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// A client of the test's own, to upload with.
    pub(crate) fn client(&self, container: &str) -> MicrosoftAzure {
        MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_endpoint(format!("{}/{ACCOUNT}", self.url))
            .with_allow_http(true)
            .with_container_name(container)
            .build()
            .unwrap()
    }

    /// The requests of `verb` for paths that begin with `/container/prefix`, up to the one for `marker`, which the caller
    /// has sent after them.
    pub(crate) fn requests(&self, verb: &str, container: &str, prefix: &str, marker: &str) -> Vec<String> {
        let (end, _) = self.log.wait_for(marker);
        let wanted = format!("\"{verb} /{ACCOUNT}/{container}/{prefix}");
        let lines = self.log.lines.lock().unwrap();
        lines[..end].iter().filter(|line| line.contains(&wanted)).cloned().collect()
    }
}

/// The folder with the installed emulator. Test binaries that run at the same time install it once.
fn install() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("azurite-{VERSION}"));
    fs::create_dir_all(&root).unwrap();
    let lock = File::create(root.join("lock")).unwrap();
    lock.lock().unwrap();
    let done = root.join("installed");
    if !done.exists() {
        let status = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(&root)
            .arg(format!("azurite@{VERSION}"))
            .stdout(Stdio::null())
            .status()
            .expect("npm runs: install Node.js with npm to run these tests");
        assert!(status.success(), "npm could not install azurite@{VERSION}");
        File::create(done).unwrap();
    }
    root
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Puts a local file into a store.
pub(crate) fn upload(store: &dyn ObjectStore, key: &str, path: &str) {
    let bytes = fs::read(path).unwrap();
    block_on(store.put(&key.into(), bytes.into())).unwrap();
}

/// Lets a request be seen in Azurite's log, after all those before.
pub(crate) fn mark(store: &MicrosoftAzure, marker: &str) {
    let _ = block_on(store.head(&marker.into()));
}
