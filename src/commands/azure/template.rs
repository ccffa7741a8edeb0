//! `driftlead azure template`: model files as a template of Azure.

use super::{TemplateFormat, TemplateWords};
use crate::azure::template::{arm, bicep, template};
use crate::commands::validate::load;
use crate::config::Config;
use crate::exit::{Result, code};
use crate::output;

/// Prints the template, or writes it to a file.
///
/// # Errors
///
/// A model file cannot be read or has problems, two models have one name, or the file cannot be written.
pub(super) fn run(words: &TemplateWords) -> Result<u8> {
    let models = words.models.iter().map(|file| load(file)).collect::<Result<Vec<Config>>>()?;
    let (template, notes) = template(&models, words.endpoint)?;
    let text = match words.format {
        TemplateFormat::Bicep => bicep::write(&template),
        TemplateFormat::Arm => arm::write(&template),
    };
    for note in notes {
        output::complain(&format!("note: {note}"));
    }
    let Some(file) = &words.out else {
        output::print(&text)?;
        return Ok(code::OK);
    };
    output::ensure_folder(file)?;
    output::write_file(file, text.as_bytes())?;
    output::print(&format!(
        "{}: next `az deployment group create --resource-group GROUP --template-file {0} --parameters workspaceName=NAME`\n",
        file.display()
    ))?;
    Ok(code::OK)
}
