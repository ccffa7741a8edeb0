//! TLS on the loopback address for tests, by the `openssl` tool: authorities, the certificates that they sign, and a
//! server that asks for a client's certificate.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// Who signs certificates.
pub(crate) struct Authority {
    folder: TempDir,
    name: String,
}

/// The files of a certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new authority.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = Self { folder, name: name.to_owned() };
        let subject = format!("/CN={name}");
        let request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let rest =
            ["-days", "2", "-subj", &subject, "-keyout", &own.file("ca.key"), "-out", &own.file("ca.pem")];
        openssl(&[&request[..], &rest[..]].concat());
        own
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `name`, of the server on the loopback address as of a client, for a key of `kind` (`ec` or `rsa`).
    pub(crate) fn sign(&self, name: &str, kind: &str) -> Signed {
        let file = |ending: &str| self.file(&format!("{name}.{ending}"));
        let (key, request, certificate, extensions) = (file("key"), file("csr"), file("pem"), file("ext"));
        let option = if kind == "ec" { "ec_paramgen_curve:prime256v1" } else { "rsa_keygen_bits:2048" };
        let subject = format!("/CN={name}");
        let base = ["req", "-newkey", kind, "-pkeyopt", option, "-nodes", "-subj", &subject];
        openssl(&[&base[..], &["-keyout", &key, "-out", &request]].concat());
        fs::write(
            &extensions,
            "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n\
             extendedKeyUsage=serverAuth,clientAuth\n",
        )
        .unwrap();
        let (ca, ca_key) = (self.file("ca.pem"), self.file("ca.key"));
        let base = ["x509", "-req", "-days", "2", "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
        openssl(&[&base[..], &["-extfile", &extensions, "-in", &request, "-out", &certificate]].concat());
        Signed { certificate: certificate.into(), key: key.into() }
    }

    /// The path of a file in its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Its name, as `openssl` shows it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Runs `openssl` and fails with what it says.
pub(crate) fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("the tool `openssl` is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A request as it came through TLS.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    /// Its first line.
    pub(crate) line: String,
    /// Whom the client's certificate names; empty without one.
    pub(crate) client: String,
    pub(crate) body: Vec<u8>,
}

/// A server that demands a certificate of an authority (or asks for none), and gives one answer to all.
pub(crate) struct TlsServer {
    child: Child,
    port: u16,
    requests: Arc<Mutex<Vec<Secured>>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    /// Serves with `own` certificate; `clients` signs those that are let in. Answers with `status` and `body`.
    pub(crate) fn start(own: &Signed, clients: Option<&Path>, status: u16, body: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0"]);
        command.arg("-cert").arg(&own.certificate).arg("-key").arg(&own.key);
        if let Some(authority) = clients {
            command.args(["-Verify", "3", "-verify_return_error"]).arg("-CAfile").arg(authority);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the tool `openssl` is installed");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let line = text_line(&mut output).expect("`openssl s_server` says where it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        let input = child.stdin.take().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let thread = std::thread::spawn(move || serve(&mut output, input, &kept, &answer));
        Self { child, port, requests, thread: Some(thread) }
    }

    /// Its address by number, which its certificate names.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Secured> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Its output holds what it says of each connection, and then what came through it.
fn serve(output: &mut impl BufRead, mut input: ChildStdin, kept: &Mutex<Vec<Secured>>, answer: &str) {
    let mut client = String::new();
    while let Some(line) = text_line(output) {
        if let Some(subject) = line.strip_prefix("subject=") {
            subject.clone_into(&mut client);
        }
        if !line.ends_with(" HTTP/1.1") {
            continue;
        }
        let mut length = 0;
        while let Some(header) = text_line(output).filter(|header| !header.is_empty()) {
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        output.read_exact(&mut body).unwrap();
        kept.lock().unwrap().push(Secured { line, client: std::mem::take(&mut client), body });
        if input.write_all(answer.as_bytes()).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

fn text_line(output: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let count = output.read_until(b'\n', &mut line).ok()?;
    (count > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}
