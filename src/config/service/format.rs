//! What a record is.

use std::path::Path;

use super::sink::{self, Tls};
use super::{has, path, place_of, setting, settings};
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::config::secret::Setting;
use crate::config::{label, labels};

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object.
    Json,
    /// Avro with the schema's id before each record.
    AvroRegistry(Registry),
    /// Avro whose schema stands in this file.
    AvroSchema(String),
    /// Protobuf.
    Protobuf {
        /// A file with a descriptor set.
        descriptors: String,
        /// The full name of the message.
        message: String,
        /// Whether a schema registry's id and index stand before it.
        is_confluent: bool,
    },
    /// A stream of Arrow IPC.
    Arrow,
    /// Lines of CSV.
    Csv(Csv),
    /// Events of Azure ML's Model Data Collector, one a line.
    Mdc,
}

/// How lines of CSV are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    /// The columns, in order; at least one, each once.
    pub header: Vec<String>,
    /// What stands between fields: an ASCII character, no quote and no line break.
    pub delimiter: u8,
}

/// A schema registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Its address.
    pub url: Setting,
    /// How this client is known.
    pub login: Option<Login>,
    /// Headers of each request.
    pub headers: Vec<(String, Setting)>,
    /// How the server is known.
    pub tls: Tls,
}

/// How a client is known to a schema registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// By basic authentication.
    Basic {
        /// The user.
        username: Setting,
        /// The user's password.
        password: Setting,
    },
    /// By a bearer token.
    Bearer(Setting),
}

impl Format {
    /// The word in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Mdc => "mdc",
            Self::AvroRegistry(_) | Self::AvroSchema(_) => "avro",
            Self::Protobuf { .. } => "protobuf",
            Self::Arrow => "arrow",
            Self::Csv(_) => "csv",
        }
    }

    /// Whether a record is a line of text.
    pub(super) const fn is_lines(&self) -> bool {
        matches!(self, Self::Json | Self::Csv(_))
    }
}

impl Registry {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        let mut all = vec![&self.url];
        match &self.login {
            Some(Login::Basic { username, password }) => all.extend([username, password]),
            Some(Login::Bearer(token)) => all.push(token),
            None => {}
        }
        all.extend(self.headers.iter().map(|(_, setting)| setting));
        all
    }
}

/// The format of a source; `None` if the file names none, or a problem with it is in the list.
pub(super) fn read(source: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Format> {
    let node = source.child("format")?;
    if let Some(word) = node.text() {
        return match word.as_str() {
            "json" => Some(Format::Json),
            "arrow" => Some(Format::Arrow),
            "mdc" => Some(Format::Mdc),
            _ => {
                let example = match word.as_str() {
                    "avro" => "`format: {avro: {registry: {url: \"http://127.0.0.1:8081\"}}}`",
                    "protobuf" => "`format: {protobuf: {descriptors: flights.binpb, message: acme.Flight}}`",
                    "csv" => "`format: {csv: {header: [date, delay]}}`",
                    // The shape has complained already.
                    _ => return None,
                };
                let message = format!("`{word}` needs to know more of its records: write such as {example}");
                problems.push(Problem::new(node.place, message));
                None
            }
        };
    }
    if let Some(avro) = node.child("avro").filter(|_| has(node, "avro")) {
        return match avro.child("registry") {
            Some(node) => registry(node, folder, problems).map(Format::AvroRegistry),
            None => path(avro, "schema", folder).map(Format::AvroSchema),
        };
    }
    if let Some(node) = node.child("protobuf") {
        return Some(Format::Protobuf {
            descriptors: path(node, "descriptors", folder)?,
            message: label(node, "message")?,
            is_confluent: label(node, "framing").as_deref() == Some("confluent"),
        });
    }
    if let Some(node) = node.child("csv") {
        return Some(Format::Csv(csv(node, problems)));
    }
    if has(node, "arrow") {
        return Some(Format::Arrow);
    }
    has(node, "json").then_some(Format::Json)
}

fn csv(node: &Node, problems: &mut Vec<Problem>) -> Csv {
    let header = labels(node, "header");
    if let Some((_, twice)) = header.iter().enumerate().find(|(at, name)| header[..*at].contains(name)) {
        let message = format!("the column `{twice}` stands twice in a line of CSV");
        problems.push(Problem::new(place_of(node, "header"), message));
    }
    let delimiter = label(node, "delimiter").and_then(|text| text.bytes().next()).unwrap_or(b',');
    Csv { header, delimiter }
}

fn registry(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Registry> {
    let url = setting(node, "url", folder)?;
    sink::check_url("http://127.0.0.1:8081", &url, problems);
    let basic = (setting(node, "username", folder), setting(node, "password", folder));
    let token = setting(node, "token", folder);
    let mut refuse = |key: &str, message: &str| problems.push(Problem::new(place_of(node, key), message));
    let login = match (basic, token) {
        ((None, None), None) => None,
        ((None, None), Some(token)) => Some(Login::Bearer(token)),
        ((Some(username), Some(password)), None) => Some(Login::Basic { username, password }),
        ((Some(_), None), None) => {
            refuse("username", "a `username` needs a `password` beside it");
            None
        }
        ((None, Some(_)), None) => {
            refuse("password", "a `password` needs a `username` beside it");
            None
        }
        (_, Some(_)) => {
            refuse(
                "token",
                "a registry knows a client by a `token` or by `username` and `password`, not by both",
            );
            None
        }
    };
    let headers = settings(node, "headers", folder);
    sink::check_headers(node, folder, problems);
    Some(Registry { url, login, headers, tls: sink::tls(node, folder, problems) })
}
