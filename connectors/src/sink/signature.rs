//! Signatures of webhooks, as Standard Webhooks 1.0 has them.
//!
//! Three headers: `webhook-id`, `webhook-timestamp` (seconds since the epoch) and `webhook-signature`, which is
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. A receiver computes the same and compares in constant
//! time, and refuses old timestamps.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A signing key; prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key that a secret stands for: after `whsec_` the base64 of its bytes, as Standard Webhooks writes secrets;
    /// otherwise the text's own bytes.
    ///
    /// # Errors
    ///
    /// A secret that begins with `whsec_` and goes on with what is no base64, or an empty one.
    pub fn of_secret(secret: &str) -> Result<Self, String> {
        let bytes = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| "a secret that begins with `whsec_` must go on with base64".to_owned())?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err("the secret is empty: expected at least one character".to_owned());
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The value of `webhook-signature` for a message.
#[must_use]
pub fn sign(key: &Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes keys of any length: they are hashed or padded.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) else { return String::new() };
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard Webhooks' own test vector (its specification, section "Signature scheme", and its libraries' tests).
    #[test]
    fn agrees_with_the_vector_of_standard_webhooks() {
        let key = Key::of_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_secret_is_its_own_bytes_and_is_never_shown() {
        let key = Key::of_secret("s3cr3t").expect("plain");
        assert_eq!(format!("{key:?}"), "***");
        assert_ne!(sign(&key, "a", 1, b"x"), sign(&key, "a", 2, b"x"));
        assert!(Key::of_secret("whsec_%").is_err() && Key::of_secret("").is_err());
    }
}
