//! What the files behind a source hold, as a hash: by it a reload knows that a secret or a certificate was renewed.
//!
//! A source reads them when it begins. The service file names them and does not change with them.

use sha2::{Digest as _, Sha256};

use crate::config::service as file;

/// By what the files of a source are known; none that cannot be read is like any that can.
pub(super) fn of(source: &file::Source, environment: &dyn Fn(&str) -> Option<String>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |part: Option<&[u8]>| {
        hash.update(part.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        hash.update(part.unwrap_or_default());
    };
    for setting in source.settings().into_iter().filter(|setting| setting.is_file()) {
        add(setting.open(environment).ok().as_ref().map(|secret| secret.reveal().as_bytes()));
    }
    for path in files(source, environment) {
        add(std::fs::read(path).ok().as_deref());
    }
    hash.finalize().into()
}

/// The files that are named by their paths.
fn files(source: &file::Source, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut paths = Vec::new();
    if let file::Input::Kafka { cluster, .. } = &source.input {
        let named = cluster.properties.iter().filter(|(key, _)| key.ends_with(".location"));
        let opened = named.filter_map(|(_, value)| value.open(environment).ok());
        paths.extend(opened.map(|path| path.reveal().to_owned()));
    }
    match &source.format {
        Some(file::Format::AvroSchema(path)) => paths.push(path.clone()),
        Some(file::Format::Protobuf { descriptors, .. }) => paths.push(descriptors.clone()),
        Some(file::Format::AvroRegistry(registry)) => {
            paths.extend(registry.tls.ca.clone());
            if let Some((certificate, key)) = &registry.tls.client {
                paths.extend([certificate.clone(), key.clone()]);
            }
        }
        _ => {}
    }
    paths
}
