//! What a store answered, in words that say what to do.

use std::error::Error as StdError;

use super::Store;
use super::store::Kind;
use crate::error::Error;

/// The error of a request for `name`.
pub(super) fn explain(store: &Store, name: &str, error: object_store::Error) -> Error {
    let text = chain(&error);
    use object_store::Error as Failure;
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    // Listing wraps every refusal into a generic error, so that the kind alone does not tell.
    let explained =
        if has(&["ContainerNotFound", "NoSuchBucket", "bucket does not exist", "FilesystemNotFound"]) {
            Error::rejected(format!("`{name}`: {}", container_missing(store)))
        } else if has(&[
            "token request",
            "169.254.169.254",
            "metadata.google.internal",
            "instance credentials",
        ]) {
            Error::rejected(format!(
                "`{name}`: this machine's identity service gave no credentials: {}",
                check_credentials(store)
            ))
        } else if matches!(error, Failure::PermissionDenied { .. })
            || has(&["403 Forbidden", "AuthenticationFailed"])
        {
            Error::rejected(format!("`{name}`: access was refused (403): {}", check_credentials(store)))
        } else if matches!(error, Failure::Unauthenticated { .. }) || has(&["401 Unauthorized"]) {
            Error::rejected(format!(
                "`{name}`: the credentials were not accepted (401): {}",
                check_credentials(store)
            ))
        } else if matches!(error, Failure::NotFound { .. }) || has(&["404 Not Found"]) {
            Error::rejected(format!(
                "`{name}` does not exist: check the name, or was it deleted while it was read?"
            ))
        } else if has(&["without LOCATION"]) {
            Error::misconfigured(format!(
                "`{name}`: the bucket lies in another region: set AWS_REGION to the region of the bucket"
            ))
        } else if is_unreachable(&text) {
            Error::unavailable(format!("`{name}`: {}", unreachable(store)))
        } else {
            Error::unavailable(format!("`{name}`: the store could not answer; try again later"))
        };
    explained.with_source(error)
}

/// An error and all its sources as one text, to look for the codes that stores put into their answers.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push('\n');
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

fn is_unreachable(text: &str) -> bool {
    [
        "error sending request",
        "dns error",
        "tcp connect error",
        "Connection refused",
        "timed out",
        "HTTP error",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

fn container_missing(store: &Store) -> String {
    match (store.kind, &store.account) {
        (Kind::Azure, Some(account)) => format!(
            "storage account `{account}` has no such container; check the name, or set AZURE_STORAGE_ACCOUNT_NAME if \
             it is the wrong account"
        ),
        (Kind::Azure, None) => {
            "there is no such container; check the name and the storage account".to_owned()
        }
        _ => "there is no such bucket; check the name".to_owned(),
    }
}

fn unreachable(store: &Store) -> String {
    match (store.kind, &store.account) {
        (Kind::Azure, Some(account)) => format!(
            "storage account `{account}` cannot be reached; check that the account exists, AZURE_STORAGE_ENDPOINT (if \
             set) and the network"
        ),
        (Kind::S3, _) => {
            "the bucket cannot be reached; check AWS_REGION, AWS_ENDPOINT_URL (if set) and the network"
                .to_owned()
        }
        _ => "the store cannot be reached; check the name and the network".to_owned(),
    }
}

fn check_credentials(store: &Store) -> String {
    match store.kind {
        Kind::Azure => {
            let account = store.account.as_deref().unwrap_or("the account");
            format!(
                "check that AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN is valid for storage account \
                 `{account}`, or give the identity the role `Storage Blob Data Reader` (to write: `Storage Blob Data \
                 Contributor`)"
            )
        }
        Kind::S3 => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and that they may list and read \
                     the bucket"
            .to_owned(),
        Kind::Google => "check GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS, and that the account has the role \
                         `Storage Object Viewer`"
            .to_owned(),
        Kind::Given => "check the credentials".to_owned(),
    }
}
