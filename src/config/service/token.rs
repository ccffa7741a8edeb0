//! Who may use the HTTP API.

use std::path::Path;

use crate::config::label;
use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::config::secret::Setting;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, unique.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// How it is known.
    pub proof: Proof,
}

/// What a token allows; each scope includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To look.
    Read,
    /// To send rows, acknowledge alerts and silence them.
    Write,
    /// To reload and to test sinks.
    Admin,
}

/// How a token is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By its hash.
    Sha256([u8; 32]),
    /// By itself, fetched when the service starts.
    Secret(Setting),
}

impl Scope {
    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

impl Token {
    pub(super) fn secret(&self) -> Option<&Setting> {
        match &self.proof {
            Proof::Secret(setting) => Some(setting),
            Proof::Sha256(_) => None,
        }
    }
}

pub(super) fn read(root: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let Some(Node { value: Value::List(items), .. }) = root.child("tokens") else { return tokens };
    for node in items {
        let Some(name) = label(node, "name") else { continue };
        if tokens.iter().any(|token| token.name == name) {
            let place = node.child("name").map_or(node.place, |name| name.place);
            problems
                .push(Problem::new(place, format!("there are two tokens `{name}`: each needs its own name")));
        }
        let proof = match node.child("sha256").and_then(|child| Some((child, child.text()?))) {
            Some((child, text)) => match hash(&text) {
                Some(hash) => Some(Proof::Sha256(hash)),
                None => {
                    // Somebody may have put the token itself here.
                    let message = "`sha256` is not a hash: expected the 64 hexadecimal digits of the token's SHA-256, \
                                   such as `printf %s TOKEN | sha256sum` prints";
                    problems.push(Problem::hidden(child.place, message));
                    None
                }
            },
            None => super::setting(node, "secret", folder).map(Proof::Secret),
        };
        let scope = label(node, "scope").and_then(|scope| Scope::parse(&scope));
        if let (Some(scope), Some(proof)) = (scope, proof) {
            tokens.push(Token { name, scope, proof });
        }
    }
    tokens
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(pair[0] * 16 + pair[1]).ok()?;
    }
    Some(hash)
}
