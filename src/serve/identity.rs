//! Who this service is to Microsoft Entra: what the file says, and beyond that the environment, by the names that Azure's
//! own tools use.

use std::path::PathBuf;

use driftlead_connectors::entra::{AUTHORITY, Application, Identity, METADATA};

use crate::config::secret::{Secret, Setting};
use crate::config::service::Entra;
use crate::exit::{Error, Result};

/// The identity of `own`; `of` names who asks for it.
///
/// In this order: what the file says (`secret`, `certificate`, `cli` or `token_file`, of which it has one), then
/// `AZURE_CLIENT_SECRET`, `AZURE_CLIENT_CERTIFICATE_PATH`, `AZURE_FEDERATED_TOKEN_FILE`, `IDENTITY_ENDPOINT` with
/// `IDENTITY_HEADER`, and the machine's own identity.
///
/// # Errors
///
/// A secret that is missing, an application without a tenant or a client.
pub(super) fn identity(
    own: &Entra,
    of: &str,
    open: impl Fn(&Setting) -> Result<Secret>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Identity> {
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let client = own.client.clone().or_else(|| variable("AZURE_CLIENT_ID"));
    let application = || -> Result<Application> {
        let needs = |value: Option<String>, key: &str, name: &str| {
            value.ok_or_else(|| {
                Error::input(format!(
                    "`{of}`: `entra` needs a `{key}` for an application: write it, or set `{name}`"
                ))
            })
        };
        Ok(Application {
            authority: own
                .authority
                .clone()
                .or_else(|| variable("AZURE_AUTHORITY_HOST"))
                .unwrap_or_else(|| AUTHORITY.to_owned()),
            tenant: needs(
                own.tenant.clone().or_else(|| variable("AZURE_TENANT_ID")),
                "tenant",
                "AZURE_TENANT_ID",
            )?,
            client: needs(client.clone(), "client", "AZURE_CLIENT_ID")?,
        })
    };
    if let Some(secret) = &own.secret {
        let secret = open(secret)?.reveal().to_owned();
        return Ok(Identity::Secret { application: application()?, secret });
    }
    if let Some(file) = &own.certificate {
        return Ok(Identity::Certificate { application: application()?, file: PathBuf::from(file) });
    }
    if own.cli {
        return Ok(Identity::Cli { program: PathBuf::from("az"), tenant: own.tenant.clone() });
    }
    if let Some(file) = &own.token_file {
        return Ok(Identity::Workload { application: application()?, token_file: PathBuf::from(file) });
    }
    if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
        return Ok(Identity::Secret { application: application()?, secret });
    }
    if let Some(file) = variable("AZURE_CLIENT_CERTIFICATE_PATH") {
        return Ok(Identity::Certificate { application: application()?, file: PathBuf::from(file) });
    }
    if let Some(file) = variable("AZURE_FEDERATED_TOKEN_FILE") {
        return Ok(Identity::Workload { application: application()?, token_file: PathBuf::from(file) });
    }
    if let Some((endpoint, header)) = variable("IDENTITY_ENDPOINT").zip(variable("IDENTITY_HEADER")) {
        return Ok(Identity::AppService { endpoint, header, client });
    }
    let endpoint = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| METADATA.to_owned());
    Ok(Identity::Machine { endpoint, client })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(own: &Entra, variables: &[(&str, &str)]) -> Result<Identity> {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = |name: &str| variables.get(name).cloned();
        identity(own, "orders", |_| unreachable!("no secret in the file"), &environment)
    }

    #[test]
    fn the_environment_says_what_the_file_leaves_out() {
        let none = Entra::default();
        let said = |own: &Entra, variables: &[(&str, &str)]| of(own, variables).unwrap().describe();
        let (tenant, client) = (("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"));
        assert_eq!(
            of(&none, &[]).unwrap(),
            Identity::Machine { endpoint: METADATA.to_owned(), client: None }
        );
        assert_eq!(said(&none, &[client]), "the managed identity `c` of the machine");
        assert_eq!(
            said(&none, &[("AZURE_CLIENT_SECRET", "s"), tenant, client]),
            "the application `c` with its secret"
        );
        let federated = ("AZURE_FEDERATED_TOKEN_FILE", "/run/token");
        assert_eq!(
            said(&none, &[federated, tenant, client]),
            "the application `c` with the token in `/run/token`"
        );
        let certificate = ("AZURE_CLIENT_CERTIFICATE_PATH", "/run/app.pem");
        assert_eq!(
            said(&none, &[federated, certificate, tenant, client]),
            "the application `c` with the certificate in `/run/app.pem`"
        );
        let cli = Entra { cli: true, tenant: Some("t".to_owned()), ..none.clone() };
        assert_eq!(
            of(&cli, &[("AZURE_CLIENT_SECRET", "s")]).unwrap(),
            Identity::Cli { program: PathBuf::from("az"), tenant: Some("t".to_owned()) }
        );
        let service = [("IDENTITY_ENDPOINT", "http://127.0.0.1:4/x"), ("IDENTITY_HEADER", "h")];
        assert_eq!(said(&none, &service), "the managed identity of the app service");

        let own = Entra { client: Some("d".to_owned()), token_file: Some("t".to_owned()), ..none.clone() };
        let Identity::Workload { application, .. } =
            of(&own, &[tenant, client, ("AZURE_CLIENT_SECRET", "s"), ("AZURE_AUTHORITY_HOST", "https://a")])
                .unwrap()
        else {
            panic!("what the file says wins")
        };
        assert_eq!((application.client.as_str(), application.authority.as_str()), ("d", "https://a"));
    }

    #[test]
    fn an_application_needs_its_tenant_and_its_id() {
        for (variable, missing) in
            [(("AZURE_CLIENT_ID", "c"), "tenant"), (("AZURE_TENANT_ID", "t"), "client")]
        {
            let error = of(&Entra::default(), &[("AZURE_CLIENT_SECRET", "hush"), variable]).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(&format!("a `{missing}`")) && message.contains("`orders`"), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }
}
