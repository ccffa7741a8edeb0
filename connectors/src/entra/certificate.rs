//! An application proves who it is by a certificate: it signs a statement (RFC 7523) with the key that belongs to it.
//!
//! The file is PEM with certificate and key, not encrypted, and is read at each asking, so that one that was renewed is used
//! without a restart. A statement lives ten minutes and names the certificate by its thumbprints, as Entra asks for it:
//! `x5t#S256` (SHA-256) and `x5t` (SHA-1, which Entra looks up registered certificates by; nothing is trusted by it).

use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::Application;
use crate::error::{Error, Result};

/// How long a statement holds, in seconds.
const LIFE: i64 = 600;
/// How much earlier it says that it begins: clocks differ.
const SLACK: i64 = 60;

/// The signed statement for `audience`, at `now` in milliseconds since the epoch.
///
/// # Errors
/// Misconfigured: the file cannot be read, lacks the certificate or the key, or holds a key that is not RSA or encrypted.
pub(super) fn assertion(file: &Path, application: &Application, audience: &str, now: i64) -> Result<String> {
    let name = file.display();
    let wrong =
        |what: &str| Error::misconfigured(format!("the certificate of the application in `{name}` {what}"));
    let text = std::fs::read_to_string(file).map_err(|error| wrong("cannot be read").with_source(error))?;
    let certificate = block(&text, "CERTIFICATE")
        .ok_or_else(|| wrong("is not there: expected a block `CERTIFICATE` of PEM beside the key"))?;
    let key = match (block(&text, "PRIVATE KEY"), block(&text, "RSA PRIVATE KEY")) {
        (Some(der), _) => RsaKeyPair::from_pkcs8(&der),
        (None, Some(der)) => RsaKeyPair::from_der(&der),
        (None, None) => {
            return Err(wrong(
                "has no key: expected a block `PRIVATE KEY` of PEM that is not encrypted, in the same file",
            ));
        }
    };
    let key = key.map_err(|_| wrong("has a key that is none of RSA with 2048 bits or more"))?;

    let thumbprint = |algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, &certificate));
    let header = json!({
        "alg": "RS256",
        "typ": "JWT",
        "x5t": thumbprint(&SHA1_FOR_LEGACY_USE_ONLY),
        "x5t#S256": thumbprint(&SHA256),
    });
    let mut id = [0; 16];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| Error::unavailable("this machine gives no random numbers"))?;
    let now = now.div_euclid(1_000);
    let claims = json!({
        "aud": audience,
        "iss": application.client,
        "sub": application.client,
        "jti": URL_SAFE_NO_PAD.encode(id),
        "nbf": now - SLACK,
        "iat": now,
        "exp": now + LIFE,
    });
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let said = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature)
        .map_err(|_| wrong("has a key that cannot sign"))?;
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The bytes of the first block of this name.
fn block(pem: &str, name: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {name}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {name}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).ok()
}
