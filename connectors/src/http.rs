//! Clients of HTTP servers: how the other side's certificate is checked, which one is shown to it, and what a failure
//! means.
//!
//! Files of certificates change while a service runs (a mounted secret, a short-lived certificate): they are looked at
//! before each use, and a new client takes over once they have changed. While they do not fit together, as between the
//! writing of a certificate and that of its key, the client that was there goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

use crate::error::{Error, Result};

/// How a server is known, and this client to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// What this client shows of itself where a server asks for it.
    pub client: Option<ClientFiles>,
    /// Whether any certificate of a server will do: for tests only.
    pub accept_any: bool,
}

/// A client's certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM: the client's certificate first, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM: the key, not encrypted.
    pub key: PathBuf,
}

impl Tls {
    /// The same without what names this client.
    pub(crate) fn anonymous(&self) -> Self {
        Self { client: None, ..self.clone() }
    }

    fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder> {
        if let Some(file) = &self.ca_file {
            let name = file.display();
            let pem = read(file, "the certificates")?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| {
                Error::misconfigured(format!("`{name}` holds no PEM certificates")).with_source(error)
            })?;
            if certificates.is_empty() {
                return Err(Error::misconfigured(format!("`{name}` holds no PEM certificates")));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(client) = &self.client {
            builder = builder.identity(client.identity()?);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.accept_any))
    }

    /// The files, and how to tell that one has changed.
    fn stamps(&self) -> Vec<Option<Stamp>> {
        let client = self.client.iter().flat_map(|client| [&client.certificate, &client.key]);
        self.ca_file.iter().chain(client).map(|file| Stamp::of(file)).collect()
    }
}

impl ClientFiles {
    fn identity(&self) -> Result<Identity> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let pem = read(&self.certificate, "the client's certificate")?;
        if !holds(&pem, "-----BEGIN CERTIFICATE-----") {
            return Err(Error::misconfigured(format!(
                "`{certificate}` holds no certificate: expected PEM, `-----BEGIN CERTIFICATE-----`"
            )));
        }
        let secret = read(&self.key, "the client's key")?;
        // PKCS #8 says so in its first line, the older form in a header of its own.
        if holds(&secret, "BEGIN ENCRYPTED PRIVATE KEY") || holds(&secret, "Proc-Type: 4,ENCRYPTED") {
            return Err(Error::misconfigured(format!(
                "the key in `{key}` is encrypted, and nobody is there to type its password: write it without one, \
                 `openssl pkey -in {key} -out plain.pem`, where only this service may read it"
            )));
        }
        if !holds(&secret, "PRIVATE KEY-----") {
            return Err(Error::misconfigured(format!(
                "`{key}` holds no private key: expected PEM, `-----BEGIN PRIVATE KEY-----`"
            )));
        }
        // Either file may hold more than its own.
        let certificates = sections(&pem, "CERTIFICATE");
        let keys = sections(&secret, "PRIVATE KEY");
        Identity::from_pem(format!("{certificates}{keys}").as_bytes()).map_err(|error| {
            Error::misconfigured(format!(
                "`{certificate}` and `{key}` cannot be read: expected a certificate and a key in PEM"
            ))
            .with_source(error)
        })
    }
}

/// A client that follows its files of certificates.
pub(crate) struct Clients {
    tls: Tls,
    builder: Box<dyn Fn() -> ClientBuilder + Send + Sync>,
    current: Mutex<(Vec<Option<Stamp>>, Client)>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Clients {
    /// Clients as `builder` begins them.
    ///
    /// # Errors
    /// Misconfigured: a file that cannot be read or holds something else, a key of another certificate.
    pub(crate) fn new(tls: Tls, builder: impl Fn() -> ClientBuilder + Send + Sync + 'static) -> Result<Self> {
        let stamps = tls.stamps();
        let client = build(&tls, builder())?;
        Ok(Self { tls, builder: Box::new(builder), current: Mutex::new((stamps, client)) })
    }

    /// The client for the files as they are now, or as they last were in order.
    pub(crate) fn current(&self) -> Client {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.tls.stamps();
        if current.0 != stamps {
            match build(&self.tls, (self.builder)()) {
                Ok(client) => {
                    tracing::info!(tls = ?self.tls, "certificates have changed, and are used from now on");
                    current.1 = client;
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "certificates have changed and cannot be used: those that were read before stay in use"
                    );
                }
            }
            // What is wrong is said once; the next change is looked at again.
            current.0 = stamps;
        }
        current.1.clone()
    }
}

fn build(tls: &Tls, builder: ClientBuilder) -> Result<Client> {
    tls.apply(builder)?.build().map_err(|error| {
        let message = match &tls.client {
            Some(client) => format!(
                "the certificate in `{}` and the key in `{}` cannot be used together: is the key this certificate's? ({})",
                client.certificate.display(),
                client.key.display(),
                root(&error)
            ),
            None => "cannot set up HTTP".to_owned(),
        };
        Error::misconfigured(message).with_source(error)
    })
}

/// By what a changed file is told: also one that is put in place by a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    number: u64,
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let data = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&data);
        #[cfg(not(unix))]
        let number = 0;
        Some(Self { modified: data.modified().ok(), length: data.len(), number })
    }
}

fn read(file: &Path, what: &str) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| {
        Error::misconfigured(format!("cannot read {what} in `{}`", file.display())).with_source(error)
    })
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// The PEM sections whose label ends so, without what else a file holds, such as the parameters of a curve.
fn sections(pem: &[u8], label: &str) -> String {
    let text = String::from_utf8_lossy(pem);
    let (mut kept, mut is_in) = (String::new(), false);
    for line in text.lines() {
        let ends_so = line.trim_end().ends_with(&format!("{label}-----"));
        is_in |= ends_so && line.starts_with("-----BEGIN ");
        if is_in {
            kept.push_str(line.trim_end());
            kept.push('\n');
        }
        is_in &= !(ends_so && line.starts_with("-----END "));
    }
    kept
}

/// Headers that a person wrote, whose values may be secrets; `what` a message calls one, and `is_own` whether the client
/// sets it itself.
///
/// # Errors
/// Misconfigured: one that cannot be sent, or that is the client's own.
pub(crate) fn custom_headers(
    own: &[(String, String)],
    what: &str,
    is_own: impl Fn(&str) -> bool,
) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let Some((header, mut value)) = parsed else {
            return Err(Error::misconfigured(format!(
                "{what} `{name}` cannot be sent: expected visible ASCII"
            )));
        };
        if is_own(header.as_str()) {
            return Err(Error::misconfigured(format!("{what} `{name}` is set by driftlead: leave it out")));
        }
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// What went wrong with a request, without its address, which may be a secret.
pub(crate) fn explain(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the request failed"
    };
    let root = root(error);
    if root == error.to_string() {
        return what.to_owned();
    }
    let advice = ADVICE.iter().find(|(sign, _)| root.contains(sign)).map(|(_, advice)| *advice);
    match advice {
        Some(advice) => format!("{what}: {root}: {advice}"),
        None => format!("{what}: {root}"),
    }
}

/// What TLS says, and what a person can do.
const ADVICE: [(&str, &str); 8] = [
    ("UnknownIssuer", "the server's certificate is not trusted; name its authority in `tls.ca`"),
    ("CaUsedAsEndEntity", "the server shows an authority's certificate as its own; it needs one of its own"),
    ("Expired", "the server's certificate has expired"),
    ("NotValidForName", "the server's certificate is another name's; use that name in `url`"),
    ("CertificateRequired", "the server asks for a client certificate; set `tls.certificate` and `tls.key`"),
    ("UnknownCA", "the server does not trust the authority of `tls.certificate`"),
    ("CertificateExpired", "the certificate in `tls.certificate` has expired"),
    ("HandshakeFailure", "the server wants something else of TLS, perhaps `tls.certificate` and `tls.key`"),
];

/// The lowest cause.
fn root(error: &reqwest::Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sections_of_the_label_are_kept() {
        let pem = "-----BEGIN EC PARAMETERS-----\nAA==\n-----END EC PARAMETERS-----\n\
                   -----BEGIN EC PRIVATE KEY-----\r\nBB==\r\n-----END EC PRIVATE KEY-----\r\n\
                   -----BEGIN CERTIFICATE-----\nCC==\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN EC PRIVATE KEY-----\nBB==\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(sections(pem.as_bytes(), "PRIVATE KEY"), key);
        assert!(sections(pem.as_bytes(), "CERTIFICATE").contains("CC=="));
        assert_eq!(sections(b"nothing", "CERTIFICATE"), "");
    }

    #[test]
    fn keys_that_cannot_be_used_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let certificate = write("c.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
        let refusal = |key: PathBuf| {
            let files = ClientFiles { certificate: certificate.clone(), key };
            let tls = Tls { client: Some(files), ..Tls::default() };
            Clients::new(tls, Client::builder).unwrap_err().to_string()
        };
        for (name, text) in [
            ("new", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            ("old", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAA==\n"),
        ] {
            let message = refusal(write(name, text));
            assert!(message.contains("is encrypted") && message.contains("openssl pkey"), "{message}");
        }
        let message = refusal(write("none", "AA=="));
        assert!(message.contains("holds no private key"), "{message}");
        let message = refusal(folder.path().join("missing"));
        assert!(message.contains("cannot read the client's key") && message.contains("missing"), "{message}");
    }
}
