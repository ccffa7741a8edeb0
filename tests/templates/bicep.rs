//! A reader of as much of Bicep as the templates are written in. It follows the language's description, not our writer, and
//! gives what the same template is in JSON, with the expressions as in [`expression`](super::expression).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::expression::{at, call, plain};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Mark(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let all: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    while i < all.len() {
        let c = all[i];
        let begin = i;
        if c.is_whitespace() {
            i += 1;
        } else if all[i..].starts_with(&['\'', '\'', '\'']) {
            i += 3;
            if all.get(i) == Some(&'\n') {
                i += 1;
            }
            let end = (i..).find(|at| all[*at..].starts_with(&['\'', '\'', '\''])).expect("an end");
            out.push(Token::Text(all[i..end].iter().collect()));
            i = end + 3;
        } else if c == '\'' {
            let (text, end) = text_at(&all, i + 1);
            out.push(Token::Text(text));
            i = end;
        } else if c.is_ascii_digit() {
            while i < all.len() && all[i].is_ascii_digit() {
                i += 1;
            }
            out.push(Token::Number(all[begin..i].iter().collect::<String>().parse().expect("a number")));
        } else if is_word(c) {
            while i < all.len() && is_word(all[i]) {
                i += 1;
            }
            out.push(Token::Word(all[begin..i].iter().collect()));
        } else {
            assert!("{}[]():,.?!=@".contains(c), "`{c}` is no mark of the language that we write");
            out.push(Token::Mark(c));
            i += 1;
        }
    }
    out
}

fn text_at(all: &[char], mut i: usize) -> (String, usize) {
    let mut text = String::new();
    loop {
        match all[i] {
            '\'' => return (text, i + 1),
            '\\' => {
                i += 1;
                match all[i] {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'u' => {
                        let end = (i..).find(|at| all[*at] == '}').expect("an end");
                        let digits: String = all[i + 2..end].iter().collect();
                        let code = u32::from_str_radix(&digits, 16).expect("a number");
                        text.push(char::from_u32(code).expect("a character"));
                        i = end;
                    }
                    c @ ('\'' | '\\' | '$') => text.push(c),
                    c => panic!("`\\{c}` is no escape"),
                }
            }
            '$' => {
                assert_ne!(all[i + 1], '{', "an expression within a text");
                text.push('$');
            }
            '\n' => panic!("a line break in a text"),
            c => text.push(c),
        }
        i += 1;
    }
}

/// A resource that others may name.
struct Known {
    kind: String,
    version: String,
    names: Vec<Json>,
    exists: bool,
}

struct Reader {
    tokens: Vec<Token>,
    place: usize,
    known: BTreeMap<String, Known>,
    /// Symbols that the value at hand has named.
    named: BTreeSet<String>,
}

/// Reads a file.
pub(crate) fn read(text: &str) -> Json {
    let mut reader =
        Reader { tokens: tokens(text), place: 0, known: BTreeMap::new(), named: BTreeSet::new() };
    let mut out = json!({"parameters": {}, "resources": [], "outputs": {}});
    let mut about = Json::Null;
    let mut is_secret = false;
    while reader.place < reader.tokens.len() {
        if reader.takes('@') {
            let word = reader.word();
            reader.expect('(');
            if word == "secure" {
                is_secret = true;
            } else {
                assert_eq!(word, "description");
                about = reader.value();
            }
            reader.expect(')');
            continue;
        }
        match reader.word().as_str() {
            "metadata" => {
                assert_eq!(reader.word(), "description");
                reader.expect('=');
                out["about"] = reader.value();
            }
            "param" => {
                let name = reader.word();
                let kind = reader.word();
                let kind = if std::mem::take(&mut is_secret) { format!("secure{kind}") } else { kind };
                let default = if reader.takes('=') { reader.value() } else { Json::Null };
                out["parameters"][&name] = json!({"type": kind, "default": default, "about": about.take()});
            }
            "resource" => {
                if let Some(resource) = reader.resource() {
                    out["resources"].as_array_mut().expect("a list").push(resource);
                }
            }
            "output" => {
                let name = reader.word();
                let kind = reader.word();
                reader.expect('=');
                out["outputs"][&name] = json!({"type": kind, "value": reader.value()});
            }
            other => panic!("`{other}` begins nothing"),
        }
    }
    out
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place)
    }

    fn next(&mut self) -> Token {
        self.place += 1;
        self.tokens[self.place - 1].clone()
    }

    fn takes(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(&Token::Mark(mark));
        self.place += usize::from(found);
        found
    }

    fn expect(&mut self, mark: char) {
        let found = self.next();
        assert_eq!(found, Token::Mark(mark), "before {:?}", &self.tokens[self.place..][..3]);
    }

    fn word(&mut self) -> String {
        match self.next() {
            Token::Word(word) => word,
            other => panic!("{other:?} is no name"),
        }
    }

    fn resource(&mut self) -> Option<Json> {
        let symbol = self.word();
        let Token::Text(kind) = self.next() else { panic!("a resource without a type") };
        let (kind, version) = kind.split_once('@').expect("a version");
        let mut condition = Json::Null;
        let mut exists = false;
        if !self.takes('=') {
            assert_eq!(self.word(), "existing");
            exists = true;
            self.expect('=');
        }
        self.named.clear();
        if self.peek() == Some(&Token::Word("if".to_owned())) {
            self.word();
            self.expect('(');
            condition = self.value();
            self.expect(')');
        }
        let Json::Object(mut body) = self.value() else { panic!("a resource is a map") };
        let take = |body: &mut Map<String, Json>, key: &str| body.remove(key).unwrap_or(Json::Null);
        // Symbols stand where the language takes a resource.
        let parent = take(&mut body, "parent");
        let scope = take(&mut body, "scope");
        let after = take(&mut body, "dependsOn");
        let symbol_of = |own: &Json| own["symbol"].as_str().map(str::to_owned);
        let mut names = Vec::new();
        let mut needs = std::mem::take(&mut self.named);
        if let Some(parent) = symbol_of(&parent) {
            names.clone_from(&self.known[&parent].names);
            needs.insert(parent);
        }
        names.push(take(&mut body, "name"));
        needs.extend(symbol_of(&scope));
        needs.extend(after.as_array().into_iter().flatten().filter_map(symbol_of));
        let ids = needs.iter().filter(|own| !self.known[*own].exists).map(|own| self.id(own));
        let ids: BTreeSet<String> = ids.map(|id| id.to_string()).collect();
        let resource = json!({
            "type": kind, "apiVersion": version, "name": names, "condition": condition,
            "scope": symbol_of(&scope).map(|own| self.id(&own)), "dependsOn": ids,
            "location": take(&mut body, "location"), "kind": take(&mut body, "kind"),
            "properties": take(&mut body, "properties"),
        });
        assert!(body.is_empty(), "{body:?}");
        let known = Known { kind: kind.to_owned(), version: version.to_owned(), names, exists };
        assert!(self.known.insert(symbol.clone(), known).is_none(), "`{symbol}` stands twice");
        (!exists).then_some(resource)
    }

    fn id(&self, symbol: &str) -> Json {
        let own = &self.known[symbol];
        call("resourceId", std::iter::once(json!(own.kind)).chain(own.names.iter().cloned()).collect())
    }

    fn value(&mut self) -> Json {
        let own = self.tight();
        if !self.takes('?') {
            return own;
        }
        let then = self.value();
        self.expect(':');
        call("if", vec![own, then, self.value()])
    }

    /// A value with what binds closer than a question.
    fn tight(&mut self) -> Json {
        if self.takes('!') { call("not", vec![self.tight()]) } else { self.first() }
    }

    fn first(&mut self) -> Json {
        match self.next() {
            Token::Text(text) => json!(text),
            Token::Number(number) => json!(number),
            Token::Mark('[') => {
                let mut all = Vec::new();
                while !self.takes(']') {
                    all.push(self.value());
                }
                Json::Array(all)
            }
            Token::Mark('{') => {
                let mut all = Map::new();
                while !self.takes('}') {
                    let (Token::Word(key) | Token::Text(key)) = self.next() else { panic!("no key") };
                    self.expect(':');
                    let own = self.value();
                    assert!(all.insert(key.clone(), own).is_none(), "`{key}` stands twice");
                }
                Json::Object(all)
            }
            Token::Word(word) if word == "true" || word == "false" => json!(word == "true"),
            Token::Word(word) => self.named_value(&word),
            Token::Mark(mark) => panic!("`{mark}` begins no value"),
        }
    }

    fn named_value(&mut self, word: &str) -> Json {
        let mut own = if self.takes('(') {
            let mut with = Vec::new();
            while !self.takes(')') {
                if !with.is_empty() {
                    self.expect(',');
                }
                with.push(self.value());
            }
            plain(word, with)
        } else if let Some(known) = self.known.get(word) {
            let (version, id) = (known.version.clone(), self.id(word));
            if !self.takes('.') {
                return json!({"symbol": word});
            }
            self.named.insert(word.to_owned());
            match self.word().as_str() {
                "id" => id,
                "properties" => call("reference", vec![id, json!(version)]),
                other => panic!("`{other}` of a resource"),
            }
        } else {
            call("parameters", vec![json!(word)])
        };
        while self.takes('.') {
            own = at(own, &self.word());
        }
        own
    }
}
