//! Opening a container or bucket: which store, and whose credentials.
//!
//! Variables are those that the builders of `object_store` read (`AZURE_STORAGE_ACCOUNT_NAME`, `AWS_ACCESS_KEY_ID`,
//! `GOOGLE_SERVICE_ACCOUNT`, ..), and those of the `az` command line beside them. Without any, a managed identity is
//! tried, but only if something answers where such identities are handed out: elsewhere the attempt would hang for
//! minutes, and the real mistake is a variable that is not set.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::{Background, Store};
use crate::error::{Error, Result};

/// Which messages fit a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Azure,
    S3,
    Google,
    Given,
}

type Environment = BTreeMap<String, String>;

/// The address at which Azure, AWS and Google machines get their identities.
const IDENTITY_SERVICE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);
/// The account of the storage emulator and its key, the same in every installation and no secret.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const IDENTITY_WAIT: Duration = Duration::from_secs(1);

/// Opens `scheme://authority`.
pub(super) fn open(
    base: &str,
    environment: &Environment,
    identity_service: bool,
    runtime: Arc<Background>,
) -> Result<Store> {
    let scheme = base.split_once("://").map_or("", |(scheme, _)| scheme);
    let (kind, account, store): (Kind, Option<String>, Arc<dyn ObjectStore>) = match scheme {
        "s3" | "s3a" => (Kind::S3, None, s3(base, environment, identity_service)?),
        "gs" => (Kind::Google, None, google(base, environment, identity_service)?),
        "memory" => (Kind::Given, None, Arc::new(InMemory::new())),
        _ => {
            let (account, store) = azure(base, environment, identity_service)?;
            (Kind::Azure, Some(account), store)
        }
    };
    Ok(Store { base: base.to_owned(), kind, account, store, runtime })
}

/// A person waits: five retries within a minute, instead of ten within three.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(8),
            base: 2.0,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(60),
    }
}

fn azure(
    base: &str,
    environment: &Environment,
    identity_service: bool,
) -> Result<(String, Arc<dyn ObjectStore>)> {
    let mut builder = MicrosoftAzureBuilder::new().with_retry(retry());
    for (key, value) in azure_settings(environment) {
        builder = builder.with_config(key, value);
    }
    let (container, authority) = match base.split_once("://") {
        Some((_, rest)) => rest.split_once('@').unwrap_or((rest, "")),
        None => (base, ""),
    };
    if let Some((account, suffix)) = authority.split_once('.') {
        if suffix.ends_with("fabric.microsoft.com") || suffix.ends_with("core.windows.net") {
            builder = builder.with_url(base);
        } else {
            // Sovereign clouds: dfs.core.usgovcloudapi.net, dfs.core.chinacloudapi.cn.
            let suffix =
                suffix.strip_prefix("dfs.").map_or_else(|| suffix.to_owned(), |rest| format!("blob.{rest}"));
            builder = builder.with_endpoint(format!("https://{account}.{suffix}"));
        }
        builder = builder.with_account(account).with_container_name(container);
    } else if base.starts_with("https://") {
        builder = builder.with_url(base);
        if let Some((account, _)) = container.split_once('.') {
            builder = builder.with_account(account);
        }
    } else {
        builder = builder.with_container_name(container);
    }

    if is_set(builder.get_config_value(&AzureConfigKey::UseEmulator)) {
        builder = emulator(builder, environment);
    }
    let set = |key| is_set(builder.get_config_value(&key));
    let Some(account) = builder.get_config_value(&AzureConfigKey::AccountName) else {
        return Err(Error::misconfigured(format!(
            "`{base}`: no storage account is named: set AZURE_STORAGE_ACCOUNT_NAME, or write \
             `abfss://{container}@ACCOUNT.dfs.core.windows.net/path`"
        )));
    };
    let credentials = [
        AzureConfigKey::AccessKey,
        AzureConfigKey::SasKey,
        AzureConfigKey::ClientSecret,
        AzureConfigKey::FederatedTokenFile,
        AzureConfigKey::Token,
        AzureConfigKey::UseAzureCli,
        AzureConfigKey::MsiEndpoint,
        AzureConfigKey::SkipSignature,
        AzureConfigKey::CredentialType,
    ];
    if !(credentials.into_iter().any(set) || identity_service && identity_service_answers()) {
        return Err(Error::misconfigured(format!(
            "`{base}`: no credentials for storage account `{account}`: set AZURE_STORAGE_ACCOUNT_KEY or \
             AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID with AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or \
             AZURE_USE_AZURE_CLI=true after `az login`; a managed identity was looked for and none answered"
        )));
    }
    let store = builder.build().map_err(|error| {
        let hint = if error.to_string().to_ascii_lowercase().contains("access key") {
            "AZURE_STORAGE_ACCOUNT_KEY is not a valid key: it is base64, as `az storage account keys list` shows it"
        } else {
            "the AZURE_* variables do not make a connection"
        };
        Error::misconfigured(format!("`{base}`: {hint}: {error}")).with_source(error)
    })?;
    Ok((account, Arc::new(store)))
}

/// A setting that is there and not switched off.
fn is_set(value: Option<String>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "false")
}

/// Azurite, at AZURITE_BLOB_STORAGE_URL or its usual address, with its published account unless another is set.
fn emulator(mut builder: MicrosoftAzureBuilder, environment: &Environment) -> MicrosoftAzureBuilder {
    let url = environment.get("AZURITE_BLOB_STORAGE_URL").map_or("http://127.0.0.1:10000", String::as_str);
    let account =
        builder.get_config_value(&AzureConfigKey::AccountName).unwrap_or_else(|| EMULATOR_ACCOUNT.to_owned());
    let credentials = [AzureConfigKey::AccessKey, AzureConfigKey::SasKey, AzureConfigKey::Token];
    if !credentials.iter().any(|key| is_set(builder.get_config_value(key))) {
        builder = builder.with_access_key(EMULATOR_KEY);
    }
    builder
        .with_use_emulator(false)
        .with_allow_http(true)
        .with_endpoint(format!("{}/{account}", url.trim_end_matches('/')))
        .with_account(account)
}

/// The settings in `AZURE_*`: what `object_store` knows, then the names of the `az` command line.
fn azure_settings(environment: &Environment) -> Vec<(AzureConfigKey, String)> {
    let mut settings = Vec::new();
    if let Some(text) = environment.get("AZURE_STORAGE_CONNECTION_STRING") {
        settings.extend(connection_string(text));
    }
    for (name, value) in environment {
        let key = match name.as_str() {
            "AZURE_STORAGE_ACCOUNT" => Some(AzureConfigKey::AccountName),
            "AZURE_STORAGE_KEY" => Some(AzureConfigKey::AccessKey),
            "IDENTITY_ENDPOINT" => Some(AzureConfigKey::MsiEndpoint),
            name if name.starts_with("AZURE_") => name.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if let Some(key) = key.filter(|_| !value.is_empty()) {
            settings.push((key, value.clone()));
        }
    }
    settings
}

/// `AccountName=..;AccountKey=..;BlobEndpoint=..`, as the portal shows it.
fn connection_string(text: &str) -> Vec<(AzureConfigKey, String)> {
    let fields: BTreeMap<&str, &str> =
        text.split(';').filter_map(|field| field.trim().split_once('=')).collect();
    let mut settings = Vec::new();
    let mut take = |name: &str, key: AzureConfigKey| {
        if let Some(value) = fields.get(name) {
            settings.push((key, (*value).to_owned()));
        }
    };
    take("AccountName", AzureConfigKey::AccountName);
    take("AccountKey", AzureConfigKey::AccessKey);
    take("SharedAccessSignature", AzureConfigKey::SasKey);
    take("BlobEndpoint", AzureConfigKey::Endpoint);
    take("UseDevelopmentStorage", AzureConfigKey::UseEmulator);
    if !fields.contains_key("BlobEndpoint")
        && let (Some(account), Some(suffix)) = (fields.get("AccountName"), fields.get("EndpointSuffix"))
    {
        settings.push((AzureConfigKey::Endpoint, format!("https://{account}.blob.{suffix}")));
    }
    let plain = fields.get("BlobEndpoint").is_some_and(|endpoint| endpoint.starts_with("http://"));
    if plain && let Ok(key) = "azure_allow_http".parse() {
        settings.push((key, "true".to_owned()));
    }
    settings
}

fn s3(base: &str, environment: &Environment, identity_service: bool) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::new().with_retry(retry());
    for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let builder = builder.with_url(base.replacen("s3a://", "s3://", 1));
    let set = |key| is_set(builder.get_config_value(&key));
    let credentials = [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::SkipSignature,
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ];
    if !(credentials.into_iter().any(set) || identity_service && identity_service_answers()) {
        return Err(Error::misconfigured(format!(
            "`{base}`: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles in ~/.aws are not read; \
             `aws configure export-credentials --format env` prints them), and AWS_REGION; an instance role was looked \
             for and none answered"
        )));
    }
    let store = builder.build().map_err(|error| {
        Error::misconfigured(format!("`{base}`: the AWS_* variables do not make a connection: {error}"))
            .with_source(error)
    })?;
    Ok(Arc::new(store))
}

fn google(base: &str, environment: &Environment, identity_service: bool) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new().with_retry(retry());
    if let Some(path) = environment.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
    }
    for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("GOOGLE_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let builder = builder.with_url(base);
    let credentials = [
        GoogleConfigKey::ServiceAccount,
        GoogleConfigKey::ServiceAccountKey,
        GoogleConfigKey::ApplicationCredentials,
        GoogleConfigKey::SkipSignature,
    ];
    let set = |key| is_set(builder.get_config_value(&key));
    let logged_in = environment.get("HOME").is_some_and(|home| {
        std::path::Path::new(home).join(".config/gcloud/application_default_credentials.json").is_file()
    });
    if !(credentials.into_iter().any(set) || logged_in || identity_service && identity_service_answers()) {
        return Err(Error::misconfigured(format!(
            "`{base}`: no credentials: set GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS to a key file, or run \
             `gcloud auth application-default login`; a machine identity was looked for and none answered"
        )));
    }
    let store = builder.build().map_err(|error| {
        Error::misconfigured(format!("`{base}`: the GOOGLE_* variables do not make a connection: {error}"))
            .with_source(error)
    })?;
    Ok(Arc::new(store))
}

/// Whether this machine is one of a cloud's, with an identity of its own.
fn identity_service_answers() -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(IDENTITY_SERVICE), IDENTITY_WAIT).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net";
        let settings = connection_string(text);
        let of = |key| settings.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
        assert_eq!(of(AzureConfigKey::AccountName), Some("acc"));
        assert_eq!(of(AzureConfigKey::AccessKey), Some("a2V5PT0="));
        assert_eq!(of(AzureConfigKey::Endpoint), Some("https://acc.blob.core.windows.net"));
    }
}
