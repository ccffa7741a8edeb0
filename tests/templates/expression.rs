//! Expressions of Azure's templates, read into JSON that is the same whichever language they were written in: a call is
//! `{"call": name, "with": [...]}`, what lies below a value `{"of": value, "at": name}`, and every number is a float.

use serde_json::{Map, Value as Json, json};

/// A call.
pub(crate) fn call(name: &str, with: Vec<Json>) -> Json {
    json!({"call": name, "with": with})
}

/// What lies below a value.
pub(crate) fn at(of: Json, name: &str) -> Json {
    json!({"of": of, "at": name})
}

/// The name and the arguments of a call.
pub(crate) fn as_call(own: &Json) -> Option<(&str, &Vec<Json>)> {
    Some((own.get("call")?.as_str()?, own.get("with")?.as_array()?))
}

/// Reads a value of a template in JSON: every text that is an expression becomes what it says.
pub(crate) fn value(own: &Json) -> Result<Json, String> {
    Ok(match own {
        Json::String(text) if text.starts_with("[[") && text.ends_with(']') => json!(text[1..]),
        Json::String(text) if text.starts_with('[') && text.ends_with(']') => {
            expression(&text[1..text.len() - 1]).map_err(|error| format!("`{text}`: {error}"))?
        }
        Json::Array(all) => all.iter().map(value).collect::<Result<Vec<_>, _>>()?.into(),
        Json::Object(all) => {
            let read = |(key, own): (&String, &Json)| Ok((key.clone(), value(own)?));
            Json::Object(all.iter().map(read).collect::<Result<Map<_, _>, String>>()?)
        }
        Json::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    })
}

fn expression(text: &str) -> Result<Json, String> {
    let mut reader = Reader { rest: text };
    let own = reader.whole()?;
    if reader.rest.trim().is_empty() { Ok(own) } else { Err(format!("`{}` is left over", reader.rest)) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn whole(&mut self) -> Result<Json, String> {
        let mut own = self.first()?;
        while self.takes('.') {
            own = at(own, &self.word()?);
        }
        Ok(own)
    }

    fn first(&mut self) -> Result<Json, String> {
        if self.takes('\'') {
            let mut text = String::new();
            loop {
                let (before, after) = self.rest.split_once('\'').ok_or("a text without an end")?;
                text.push_str(before);
                self.rest = after;
                match self.rest.strip_prefix('\'') {
                    Some(rest) => {
                        text.push('\'');
                        self.rest = rest;
                    }
                    None => return Ok(json!(text)),
                }
            }
        }
        let name = self.word()?;
        if let Ok(number) = name.parse::<f64>() {
            return Ok(json!(number));
        }
        if !self.takes('(') {
            return Err(format!("`{name}` is no call"));
        }
        let mut with = Vec::new();
        while !self.takes(')') {
            if !with.is_empty() && !self.takes(',') {
                return Err(format!("a comma is missing at `{}`", self.rest));
            }
            with.push(self.whole()?);
        }
        Ok(plain(&name, with))
    }

    fn word(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        if end == 0 {
            return Err(format!("a name is missing at `{}`", self.rest));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.to_owned())
    }
}

/// Calls that only spell a constant become it.
pub(crate) fn plain(name: &str, with: Vec<Json>) -> Json {
    match (name, with.as_slice()) {
        ("createArray", _) => Json::Array(with),
        ("createObject", _) => {
            let pairs =
                with.chunks(2).map(|pair| (pair[0].as_str().unwrap_or("?").to_owned(), pair[1].clone()));
            Json::Object(pairs.collect())
        }
        ("json", [Json::String(text)]) => {
            text.parse::<f64>().map_or_else(|_| call(name, with.clone()), |number| json!(number))
        }
        ("true" | "false", []) => json!(name == "true"),
        _ => call(name, with),
    }
}
