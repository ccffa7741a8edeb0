//! A validating pull scanner over one JSON record.
//!
//! It finds where values begin and end and checks every byte against the grammar, but converts nothing: a value is
//! turned into its column's type only after the whole record has proved good. A bad record therefore leaves no trace,
//! and numbers keep their text.
//!
//! Why not `serde_json`, which this is tested against: its streaming visitor must convert each number before it can
//! know the column (so decimals and integers beyond 64 bits are lost), `RawValue` and `Value` allocate, and neither
//! takes the `NaN` and `Infinity` that Python writes. Records of 247 bytes with 15 keys, of which 13 become columns (3
//! integers, 6 floats, 3 strings, 1 boolean), one thread, the same run, best of five: 1.17 CPU seconds per million
//! records here, 4.00 by way of `serde_json::Value` into the same Arrow builders.

use super::super::decoded::BadReason;

/// How deep objects and arrays may nest.
pub(in crate::source) const MAX_DEPTH: u32 = 128;

/// A range of bytes of the record; records are shorter than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes as text.
    pub(in crate::source) fn of(self, record: &str) -> &str {
        &record[self.start as usize..self.end as usize]
    }
}

/// What was found where a value was expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::source) enum Token {
    Null,
    Bool(bool),
    Number(Span),
    NonFinite(f64),
    /// A string without escapes, quotes left out.
    Text(Span),
    /// A string with escapes, quotes left out.
    Escaped(Span),
    /// An array, brackets included.
    Array(Span),
    Object,
}

/// Why and where a record is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The class of the fault.
    pub reason: BadReason,
    /// The byte of the record, from 0, at which it shows.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// A position in a record.
pub(in crate::source) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(in crate::source) fn new(record: &'a str) -> Self {
        Self { bytes: record.as_bytes(), at: 0 }
    }

    /// Enters the record's object: what follows is its first key or its end.
    pub(in crate::source) fn open_record(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Ok(())
            }
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I') => {
                Err(Fault { reason: BadReason::NotAnObject, at: self.at, expected: "an object" })
            }
            _ => Err(self.fault("an object")),
        }
    }

    /// Checks that nothing but blanks follows the record's object.
    pub(in crate::source) fn close_record(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                Err(Fault { reason: BadReason::TrailingData, at: self.at, expected: "the end of the record" })
            }
        }
    }

    /// The first key of an object just entered, up to and with its colon, or `None` at the object's end.
    pub(in crate::source) fn first_key(&mut self) -> Result<Option<Key<'a>>, Fault> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                Ok(None)
            }
            _ => self.key().map(Some),
        }
    }

    /// The key after a value, or `None` at the object's end.
    pub(in crate::source) fn next_key(&mut self) -> Result<Option<Key<'a>>, Fault> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.peek();
                self.key().map(Some)
            }
            Some(b'}') => {
                self.at += 1;
                Ok(None)
            }
            _ => Err(self.fault("`,` or `}`")),
        }
    }

    fn key(&mut self) -> Result<Key<'a>, Fault> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.fault("a key in double quotes"));
        }
        self.at += 1;
        let (start, escaped) = (self.at, self.string()?);
        let text = &self.bytes[start..self.at - 1];
        if self.peek() != Some(b':') {
            return Err(self.fault("`:`"));
        }
        self.at += 1;
        Ok(Key { text, escaped })
    }

    /// Whether an array just entered has a first item; if not, its end is passed.
    pub(in crate::source) fn first_item(&mut self) -> bool {
        let empty = self.peek() == Some(b']');
        self.at += usize::from(empty);
        !empty
    }

    /// Whether an item follows the last one; if not, the array's end is passed.
    pub(in crate::source) fn next_item(&mut self) -> Result<bool, Fault> {
        let more = match self.peek() {
            Some(b',') => true,
            Some(b']') => false,
            _ => return Err(self.fault("`,` or `]`")),
        };
        self.at += 1;
        Ok(more)
    }

    /// The next byte that is not blank.
    #[inline]
    pub(in crate::source) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Passes an opening bracket that was seen by `peek`, at a nesting of `depth` above it.
    pub(in crate::source) fn enter(&mut self, depth: u32) -> Result<usize, Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault {
                reason: BadReason::TooDeep,
                at: self.at,
                expected: "at most 128 levels of nesting",
            });
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    /// The byte at which it stands.
    pub(in crate::source) fn position(&self) -> usize {
        self.at
    }

    /// Goes on at a byte behind a value that somebody else has passed.
    pub(in crate::source) fn move_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The span from an opening bracket to here.
    pub(in crate::source) fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// Passes one value whole; `depth` is how many objects and arrays are open around it.
    pub(in crate::source) fn value(&mut self, depth: u32) -> Result<Token, Fault> {
        let Some(byte) = self.peek() else { return Err(self.fault("a value")) };
        match byte {
            b'"' => {
                self.at += 1;
                let start = self.at;
                let escaped = self.string()?;
                let span = Span::new(start, self.at - 1);
                Ok(if escaped { Token::Escaped(span) } else { Token::Text(span) })
            }
            b'-' if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.word("-Infinity", Token::NonFinite(f64::NEG_INFINITY))
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => {
                self.container(depth)?;
                Ok(Token::Object)
            }
            b'[' => {
                let start = self.at;
                self.container(depth)?;
                Ok(Token::Array(self.span_from(start)))
            }
            b't' => self.word("true", Token::Bool(true)),
            b'f' => self.word("false", Token::Bool(false)),
            b'n' => self.word("null", Token::Null),
            b'N' => self.word("NaN", Token::NonFinite(f64::NAN)),
            b'I' => self.word("Infinity", Token::NonFinite(f64::INFINITY)),
            _ => Err(self.fault("a value")),
        }
    }

    /// Passes an object or array and all within it, without recursion: one bit a level tells which it is.
    fn container(&mut self, depth: u32) -> Result<(), Fault> {
        let mut is_object: u128 = 0;
        let mut open = 0_u32;
        loop {
            // At a value: go down while values are containers that are not empty.
            match self.peek() {
                Some(byte @ (b'{' | b'[')) => {
                    self.enter(depth + open)?;
                    open += 1;
                    is_object = is_object << 1 | u128::from(byte == b'{');
                    let more = if byte == b'{' { self.first_key()?.is_some() } else { self.first_item() };
                    if more {
                        continue;
                    }
                    open -= 1;
                    is_object >>= 1;
                }
                _ => {
                    self.value(depth + open)?;
                }
            }
            // After a value: go up while containers end.
            loop {
                if open == 0 {
                    return Ok(());
                }
                let more = if is_object & 1 == 1 { self.next_key()?.is_some() } else { self.next_item()? };
                if more {
                    break;
                }
                open -= 1;
                is_object >>= 1;
            }
        }
    }

    /// Passes the rest of a string and its closing quote; returns whether it has escapes.
    fn string(&mut self) -> Result<bool, Fault> {
        let mut escaped = false;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.fault("`\"` (control characters must be escaped)")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.bytes.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                        return Err(self.fault("four hexadecimal digits"));
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.fault("an escape of JSON")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        self.at += usize::from(self.bytes[self.at] == b'-');
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Token::Number(Span::new(start, self.at)))
    }

    /// At least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str, token: Token) -> Result<Token, Fault> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(token);
        }
        self.at += word.bytes().zip(rest).take_while(|&(a, &b)| a == b).count();
        Err(self.fault(word))
    }

    /// A fault here; at the very end of the record it means that the record was cut off.
    fn fault(&self, expected: &'static str) -> Fault {
        let reason = if self.at >= self.bytes.len() { BadReason::Truncated } else { BadReason::NotJson };
        Fault { reason, at: self.at, expected }
    }
}

/// A key as it stands in the record.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Key<'a> {
    pub(in crate::source) text: &'a [u8],
    pub(in crate::source) escaped: bool,
}

/// Where the next quote, backslash or control character stands, from `at` on; the end if there is none.
///
/// Eight bytes at a time: in `x - 0x01..` a byte borrows if it was zero, so the lowest flag is exact, and only the
/// lowest is used ("Bit Twiddling Hacks", determine if a word has a zero byte, has a byte less than n).
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let below = |x: u64, n: u64| x.wrapping_sub(ONES * n) & !x & HIGHS;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let stop = quote | backslash | below(word, 0x20);
        if stop != 0 {
            return at + (stop.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&b| b != b'"' && b != b'\\' && b >= 0x20) {
        at += 1;
    }
    at
}

/// Appends the text of a string whose escapes the scanner has checked; false if it holds half a surrogate pair, which
/// is no character.
pub(in crate::source) fn unescape(text: &str, out: &mut String) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut used = at + 2;
        out.push(match code {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let Some((character, length)) = unicode(&rest[used..]) else { return false };
                used += length;
                character
            }
            other => char::from(other),
        });
        rest = &rest[used..];
    }
    out.push_str(rest);
    true
}

/// The character of `XXXX` or `XXXX\uXXXX`, and how many bytes were used.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|c| (c, 4));
    }
    let second = unit(text[4..].strip_prefix("\\u")?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).map(|c| (c, 10))
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}
