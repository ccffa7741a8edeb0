//! Addresses of objects as Azure writes them, in whichever of its spellings.

use percent_encoding::percent_decode_str;

use super::Store;

impl Store {
    /// The key of the object of this address, if it lies in this container; `None` also if this is no container of Azure.
    ///
    /// Addresses are those of this program (`az://container/key`), of the driver for Data Lake
    /// (`abfss://container@account.dfs.core.windows.net/key`) and URLs of an account or of the emulator, whose
    /// percent-escapes are decoded. A signature behind one is not used.
    pub(crate) fn key_of(&self, address: &str) -> Option<String> {
        let address = address.split(['?', '#']).next()?;
        if let Some(key) = address.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('/')) {
            return decoded(key);
        }
        let (account, container) = (self.account.as_deref()?, container_of(&self.base)?);
        let (scheme, rest) = address.split_once("://")?;
        let (authority, path) = rest.split_once('/')?;
        let is_account =
            |host: &str| host.split('.').next().is_some_and(|own| own.eq_ignore_ascii_case(account));
        match scheme.to_ascii_lowercase().as_str() {
            "abfs" | "abfss" | "wasb" | "wasbs" => {
                let (own, host) = authority.split_once('@')?;
                (own == container && is_account(host)).then(|| decoded(path))?
            }
            "http" | "https" => {
                // The emulator and private endpoints name the account in the path.
                let path = match path.strip_prefix(account).and_then(|rest| rest.strip_prefix('/')) {
                    Some(rest) if !is_account(authority) => rest,
                    _ if is_account(authority) => path,
                    _ => return None,
                };
                let (own, key) = path.split_once('/')?;
                (own == container).then(|| decoded(key))?
            }
            _ => None,
        }
    }
}

/// The container of the beginning of a URL.
fn container_of(base: &str) -> Option<&str> {
    let (_, rest) = base.split_once("://")?;
    Some(match (rest.split_once('@'), rest.split_once('/')) {
        (Some((container, _)), _) | (None, Some((_, container))) => container,
        (None, None) => rest,
    })
}

fn decoded(key: &str) -> Option<String> {
    let key = percent_decode_str(key).decode_utf8().ok()?;
    (!key.is_empty()).then(|| key.into_owned())
}
