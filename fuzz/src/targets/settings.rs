//! Settings files. Any text is a configuration or a list of problems, each at a place of the text.

use std::path::Path;

use driftlead::config::Config;
use driftlead::config::service::Service;

use super::checkout;

pub(super) fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(problems) = Config::parse(Path::new("model.yaml"), text) {
        assert!(!problems.to_string().is_empty());
    }
    if let Err(problems) = Service::parse(Path::new("service.yaml"), text) {
        assert!(!problems.to_string().is_empty());
    }
}

/// The examples of the documentation.
pub(super) fn yaml_seeds() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(checkout().join("docs/configuration.md")).expect("the documentation");
    let blocks = text.split("```yaml\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).map(|block| block.as_bytes().to_vec()).collect()
}
