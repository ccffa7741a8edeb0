//! Templates that make Azure Monitor ready for driftlead: tables, the rule that fills them, alerts, charts, rights.
//!
//! There is one model of the resources, [`Template`], and two languages in which it is written, [`arm`] and [`bicep`]: so
//! they cannot differ. The columns are those of [`table`](crate::azure::table), which the records keep to as well. What is
//! written is a function of the models alone: a second run writes the same, and a deployment of it changes nothing.

pub mod arm;
mod base;
pub mod bicep;
pub mod kql;
mod logs;
mod metrics;
mod name;
pub mod parameter;
mod period;
pub mod resource;
pub mod value;
mod workbook;

pub use self::resource::Template;
use crate::azure::table::ALL;
use crate::config::Config;
use crate::exit::{Error, Result};

/// Symbols of resources that others name.
const WORKSPACE: &str = "workspace";
const COLLECTION: &str = "collection";
const ACTIONS: &str = "actions";

/// The symbols of all tables.
fn tables() -> Vec<String> {
    ALL.into_iter().map(base::symbol).collect()
}

/// A template for these models, and what a person should know of it.
///
/// With `has_endpoint` records go through a data collection endpoint, which is a parameter; else the rule has an address
/// of its own.
///
/// # Errors
///
/// Two models have one name, or there are more resources than a template may have.
pub fn template(models: &[Config], has_endpoint: bool) -> Result<(Template, Vec<String>)> {
    for (at, own) in models.iter().enumerate() {
        if models[..at].iter().any(|other| other.model == own.model) {
            return Err(Error::input(format!(
                "there are two models `{}`: a template needs each once",
                own.model
            )));
        }
    }
    let mut names: Vec<&str> = models.iter().map(|own| own.model.as_str()).collect();
    names.sort_unstable();
    let mut template = Template {
        about: format!("driftlead: tables, alerts and charts for {}", names.join(", ")),
        parameters: parameter::all(has_endpoint),
        resources: base::resources(has_endpoint),
        outputs: base::outputs(has_endpoint),
    };
    let mut notes = Vec::new();
    for own in models {
        let (rules, told) = logs::rules(own);
        notes.extend(told);
        for resource in rules.into_iter().chain(metrics::rules(own)) {
            template.add(resource);
        }
    }
    template.add(workbook::resource());
    if template.resources.len() > MOST_RESOURCES {
        return Err(Error::input(format!(
            "the template has {} resources, and Azure takes {MOST_RESOURCES}: write one for fewer models",
            template.resources.len()
        )));
    }
    Ok((template, notes))
}

/// Resources of a template.
const MOST_RESOURCES: usize = 800;
