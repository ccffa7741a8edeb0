//! One line of Azure ML's Model Data Collector: an event in the manner of CloudEvents 1.0, whose `data` are the records of
//! one or several requests.
//!
//! The order of keys varies and keys that are not known are passed over. Where a record ends is told by brackets and quotes
//! alone, so that one that is no JSON takes none of its neighbours with it; each is held to the grammar when it is decoded.
//! The event's own members stand behind a record's: of a name that stands twice the last counts, and an event's time must
//! not be taken for another's.

use std::fmt::Write as _;
use std::ops::Range;

use crate::source::decoded::BadReason;
use crate::source::ndjson::scan::{Fault, Key, Scan, Token, unescape};

/// The columns that a row has from its event, in their order.
pub(crate) const COLUMNS: [&str; 10] = [
    "mdc_row_id",
    "mdc_time",
    "mdc_correlationid",
    "mdc_modelversion",
    "mdc_collection",
    "mdc_endpoint",
    "mdc_deployment",
    "mdc_type",
    "mdc_source",
    "mdc_id",
];

/// What stands before the name of a collection in an event's `type`.
const TYPE: &str = "azureml.inference.";

/// An event whose records are at hand.
#[derive(Debug)]
pub(super) struct Event {
    /// What the records are parts of.
    text: String,
    records: Vec<Range<usize>>,
    /// The members that each row has from the event, but its id.
    members: String,
    /// What stands before the index in the id of a row, if the event says it.
    correlation: Option<String>,
}

/// Where the records of an event are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// In its line.
    Here(Event),
    /// In a file of their own at this address.
    At(String, Event),
}

/// What is known of an event; a value that is no text is read as the text that it is.
#[derive(Default)]
struct Members {
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    time: Option<String>,
    correlation: Option<String>,
    version: Option<String>,
    reference: Option<String>,
    is_in_blob: bool,
}

/// An event's `data`.
enum Data {
    None,
    Records(Vec<Range<usize>>),
    Text(String),
    Other(usize),
}

impl Event {
    /// Reads a line.
    ///
    /// # Errors
    /// Why no record of it can be told from the others.
    pub(super) fn parse(line: &str) -> Result<Parsed, Fault> {
        let mut scan = Scan::new(line);
        let (mut members, mut data) = (Members::default(), Data::None);
        scan.open_record()?;
        let mut key = scan.first_key()?;
        while let Some(own) = key {
            match name(&own).as_str() {
                "data" => data = read_data(&mut scan, line)?,
                name => {
                    let token = scan.value(1)?;
                    members.take(name, token, line);
                }
            }
            key = scan.next_key()?;
        }
        scan.close_record()?;
        let fault = |at, expected| Fault { reason: BadReason::NoRecords, at, expected };
        let none = "`data`, an array of records, or `dataref`, the address of one";
        let event = |records| Self {
            text: line.to_owned(),
            records,
            members: members.text(),
            correlation: members.correlation.clone(),
        };
        match (data, &members.reference) {
            (Data::Records(records), _) => Ok(Parsed::Here(event(records))),
            (Data::Text(address), _) if members.is_in_blob => Ok(Parsed::At(address, event(Vec::new()))),
            (Data::None, Some(address)) => Ok(Parsed::At(address.clone(), event(Vec::new()))),
            (Data::None, None) => Err(fault(line.len(), none)),
            (Data::Text(_), _) => {
                Err(fault(0, "`data` to be an array of records, or the address of one with `datainblob`"))
            }
            (Data::Other(at), _) => Err(fault(at, "an array of records")),
        }
    }

    /// The same with records that were somewhere else: an array, one object, or one object a line.
    ///
    /// # Errors
    /// If that is not what the text is.
    pub(super) fn with_content(self, text: String) -> Result<Self, Fault> {
        let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
        let records = match text.as_bytes().get(start) {
            Some(b'[') => {
                let (records, end) = items(text.as_bytes(), start)?;
                match text[end..].trim_ascii() {
                    "" => records,
                    _ => {
                        let reason = BadReason::TrailingData;
                        return Err(Fault { reason, at: end, expected: "the end of the array" });
                    }
                }
            }
            Some(b'{') => lines(&text),
            _ => {
                let reason = BadReason::NoRecords;
                return Err(Fault { reason, at: start, expected: "an array of records" });
            }
        };
        Ok(Self { text, records, ..self })
    }

    pub(super) fn n_records(&self) -> usize {
        self.records.len()
    }

    /// Writes a record with what its row has from the event, as one object.
    pub(super) fn write(&self, index: usize, out: &mut String) {
        out.clear();
        let record = self.records.get(index).map_or("", |range| &self.text[range.clone()]);
        let inner = record.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(inner) = inner else {
            out.push_str(record);
            return;
        };
        out.push('{');
        out.push_str(inner);
        let mut is_first = inner.trim_ascii().is_empty();
        let mut comma = |out: &mut String| {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
        };
        if !self.members.is_empty() {
            comma(out);
            out.push_str(&self.members);
        }
        if let Some(correlation) = &self.correlation {
            comma(out);
            let _ = write!(out, "\"mdc_row_id\":{}", quoted(&format!("{correlation}_{index}")));
        }
        out.push('}');
    }
}

impl Members {
    fn take(&mut self, name: &str, token: Token, line: &str) {
        let place = match name {
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.kind,
            "time" => &mut self.time,
            "correlationid" => &mut self.correlation,
            "modelversion" => &mut self.version,
            "dataref" => &mut self.reference,
            "datainblob" => {
                self.is_in_blob = text(token, line).is_some_and(|own| own.eq_ignore_ascii_case("true"));
                return;
            }
            _ => return,
        };
        *place = text(token, line).filter(|own| !own.is_empty());
    }

    /// As members of an object, without its brackets.
    fn text(&self) -> String {
        let collection = self.kind.as_deref().map(|own| own.strip_prefix(TYPE).unwrap_or(own));
        let part = |folder: &str| {
            let mut parts = self.source.as_deref()?.split('/');
            parts.find(|own| own.eq_ignore_ascii_case(folder))?;
            parts.next()
        };
        let columns = [
            ("mdc_time", self.time.as_deref()),
            ("mdc_correlationid", self.correlation.as_deref()),
            ("mdc_modelversion", self.version.as_deref()),
            ("mdc_collection", collection),
            ("mdc_endpoint", part("onlineEndpoints")),
            ("mdc_deployment", part("deployments")),
            ("mdc_type", self.kind.as_deref()),
            ("mdc_source", self.source.as_deref()),
            ("mdc_id", self.id.as_deref()),
        ];
        let shown =
            columns.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", quoted((*value)?))));
        shown.collect::<Vec<String>>().join(",")
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn name(key: &Key<'_>) -> String {
    let text = String::from_utf8_lossy(key.text);
    let mut plain = String::new();
    if key.escaped && unescape(&text, &mut plain) { plain } else { text.into_owned() }
}

/// A value that is no container, as text; `None` for null and for those.
fn text(token: Token, line: &str) -> Option<String> {
    match token {
        Token::Text(span) | Token::Number(span) => Some(span.of(line).to_owned()),
        Token::Bool(value) => Some(value.to_string()),
        Token::Escaped(span) => {
            let mut plain = String::new();
            unescape(span.of(line), &mut plain).then_some(plain)
        }
        Token::Null | Token::NonFinite(_) | Token::Array(_) | Token::Object => None,
    }
}

fn read_data(scan: &mut Scan<'_>, line: &str) -> Result<Data, Fault> {
    let first = scan.peek();
    let start = scan.position();
    if first == Some(b'[') {
        let (records, end) = items(line.as_bytes(), start)?;
        scan.move_to(end);
        return Ok(Data::Records(records));
    }
    Ok(match scan.value(1)? {
        Token::Null => Data::None,
        // The payload of one request that is one record.
        Token::Object => Data::Records(std::iter::once(start..scan.position()).collect()),
        token => text(token, line).map_or(Data::Other(start), Data::Text),
    })
}

/// The items of the array that opens at `open`, and where it ends. Nothing within an item is looked at but what tells its end.
fn items(text: &[u8], open: usize) -> Result<(Vec<Range<usize>>, usize), Fault> {
    let fault = |reason, at, expected| Fault { reason, at, expected };
    let cut = || fault(BadReason::Truncated, text.len(), "the end of the array of records");
    let (mut items, mut within) = (Vec::new(), Vec::new());
    let (mut at, mut start) = (open + 1, open + 1);
    loop {
        let byte = *text.get(at).ok_or_else(cut)?;
        match byte {
            b'"' => at = end_of_string(text, at).ok_or_else(cut)?,
            b'{' => within.push(b'}'),
            b'[' => within.push(b']'),
            b',' if within.is_empty() => {
                items.push(trimmed(text, start..at));
                start = at + 1;
            }
            b']' if within.is_empty() => {
                let last = trimmed(text, start..at);
                if !last.is_empty() || !items.is_empty() {
                    items.push(last);
                }
                return Ok((items, at + 1));
            }
            b'}' | b']' if within.pop() != Some(byte) => {
                return Err(fault(BadReason::NotJson, at, "the bracket that was opened to be closed"));
            }
            _ => {}
        }
        at += 1;
    }
}

/// The place of the quote that ends the string that opens at `open`.
fn end_of_string(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let own = &text[range.clone()];
    let before = own.len() - own.trim_ascii_start().len();
    let after = own.len() - own.trim_ascii_end().len();
    if before == own.len() { range.start..range.start } else { range.start + before..range.end - after }
}

/// The lines of a text that are not blank.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let own = trimmed(text.as_bytes(), start..start + line.len());
        if !own.is_empty() {
            found.push(own);
        }
        start += line.len();
    }
    found
}
