//! Bodies that were packed on their way: `Content-Encoding: gzip` (RFC 9110, 8.4.1; RFC 1952).
//!
//! Law: the bound on a body holds for what comes out of it too. No more than that is unpacked, so a small body that
//! would fill memory is refused as one that is too large, and costs no more than one that is just small enough.

use std::io::Read as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;

use super::problem::Problem;

/// How a body was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Plain,
    /// As one or more members of gzip.
    Gzip,
}

impl Packing {
    /// How a body is packed by its `Content-Encoding`.
    ///
    /// # Errors
    ///
    /// An encoding that is not read, or more than one.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut all = headers.get_all(header::CONTENT_ENCODING).iter();
        let first = all.next().map_or("", |own| own.to_str().unwrap_or("?"));
        let found = if all.next().is_some() { "several" } else { first };
        match found.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(Problem::media_type(
                &format!("encoded as {found}"),
                "`Content-Encoding: gzip`, or none and the body as it is",
            )),
        }
    }

    /// The body as it was before it was packed, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// There is more in it, or it is damaged or ends too early.
    pub(super) async fn unpack(self, body: Bytes, limit: usize) -> Result<Bytes, Problem> {
        match self {
            Self::Plain => Ok(body),
            // Some tens of milliseconds in which no other request of this thread would be answered.
            Self::Gzip => tokio::task::spawn_blocking(move || gunzip(&body, limit))
                .await
                .map_err(|error| Problem::internal(&error.to_string()))?,
        }
    }
}

fn gunzip(body: &[u8], limit: usize) -> Result<Bytes, Problem> {
    let mut plain = Vec::new();
    // One byte more than the limit tells that there is more.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body).take(most).read_to_end(&mut plain).map_err(|error| {
        Problem::body(format!(
            "the body says `Content-Encoding: gzip` and cannot be unpacked: {error}; send it whole, or as it is"
        ))
    })?;
    if plain.len() > limit {
        return Err(Problem::large_unpacked(limit));
    }
    Ok(Bytes::from(plain))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn says(answer: Result<Bytes, Problem>, expected: &str) {
        let Err(problem) = answer else { panic!("accepted, and not: {expected}") };
        assert!(format!("{problem:?}").contains(expected), "{problem:?}: {expected}");
    }

    #[test]
    fn what_comes_out_is_bounded_whatever_goes_in() {
        let text = b"{\"x\":1}\n".repeat(100);
        let packed = gzip(&text);
        assert!(packed.len() < 100, "{}", packed.len());
        assert_eq!(gunzip(&packed, text.len()).unwrap(), text);
        says(gunzip(&packed, text.len() - 1), "at most 799 bytes");
        // A hundred megabytes in a hundred kilobytes: no more than the limit is ever there.
        says(gunzip(&gzip(&vec![b' '; 100_000_000]), 1_000), "at most 1000 bytes");
        // Members one after the other are one body, as `cat a.gz b.gz` makes them, and are bounded together.
        let two = [packed.clone(), packed.clone()].concat();
        assert_eq!(gunzip(&two, 1_600).unwrap().len(), 1_600);
        says(gunzip(&two, 1_599), "at most 1599 bytes");
        assert!(gunzip(&gzip(b""), 10).unwrap().is_empty());
    }

    #[test]
    fn what_is_damaged_is_told() {
        let packed = gzip(&b"{\"x\":1}\n".repeat(100));
        let mut flipped = packed.clone();
        let check = flipped.len() - 6;
        flipped[check] ^= 1;
        for wrong in
            [&packed[..packed.len() - 9], &flipped, b"{\"x\":1}", &[packed.as_slice(), b"more"].concat()]
        {
            says(gunzip(wrong, 10_000), "cannot be unpacked");
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            Packing::of(&headers).ok()
        };
        assert_eq!((of(&[]), of(&["identity"])), (Some(Packing::Plain), Some(Packing::Plain)));
        assert_eq!((of(&["gzip"]), of(&["X-GZip"])), (Some(Packing::Gzip), Some(Packing::Gzip)));
        for other in
            [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["gzip", "identity"], &["deflate"], &["zstd"]]
        {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
