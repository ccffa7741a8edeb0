//! Rows that are sent packed: what comes out is counted as if it had been sent so, and bounded (SEMANTICS S17).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::ingest::{ARROW, LINES, PATH, lines, stream};
use super::rows;
use super::same::assert_complete;
use super::service;
use crate::support::client::ask;
use crate::support::folder::Folder;
use crate::support::service::{Service, metric};

const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn packed_lines_and_arrow_give_what_check_gives() {
    let folder = Folder::new();
    service(&folder, "{ingest: {}}", "");
    let rows = rows::rows(6_000, 3, 30, 43);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    for (at, part) in rows.chunks(1_000).enumerate() {
        let (kind, body) =
            if at % 2 == 1 { (ARROW, stream(part)) } else { (LINES, lines(part).into_bytes()) };
        let reply = ask(&address, "POST", PATH, &[kind, GZIP], &gzip(&body)).expect("an answer");
        assert_eq!((reply.status, reply.json()["taken"].as_u64()), (202, Some(1_000)), "{reply:?}");
    }
    assert_complete(&folder, &rows);
    running.stop_well();
}

#[test]
fn what_is_in_a_packed_body_is_bounded_and_the_key_is_that_of_the_rows() {
    let folder = Folder::new();
    service(&folder, "{ingest: {max_body: 20KB}}", "");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let row = rows::rows(1, 1, 0, 1).remove(0).json;
    let bomb = gzip(&vec![b' '; 50_000_000]);
    let long = gzip(
        &rows::rows(2_000, 1, 0, 2).iter().map(|row| row.json.as_str()).collect::<String>().into_bytes(),
    );
    assert!(long.len() > 20_000, "{}", long.len());
    let packed = gzip(row.as_bytes());
    for (status, says, encoding, body) in [
        (413, "at most 20000 bytes", "gzip", bomb.as_slice()),
        (413, "at most 20000 bytes", "gzip", &long),
        (415, "`Content-Encoding: gzip`", "deflate", &packed),
        (415, "encoded as gzip, gzip", "gzip, gzip", &packed),
        (400, "cannot be unpacked", "gzip", row.as_bytes()),
        (400, "cannot be unpacked", "gzip", &packed[..packed.len() - 4]),
        (400, "there is no body", "gzip", &gzip(b"")),
    ] {
        let headers = [LINES, ("content-encoding", encoding)];
        let reply = ask(&address, "POST", PATH, &headers, body).expect("an answer");
        assert_eq!(reply.status, status, "{says}: {reply:?}");
        assert!(reply.body.contains(says), "no `{says}`: {reply:?}");
    }
    assert_eq!(metric(&address, "driftlead_source_records_total"), 0, "nothing was counted");
    let key = ("idempotency-key", "k");
    let first = ask(&address, "POST", PATH, &[LINES, GZIP, key], &packed).expect("an answer");
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, "false"), "{first:?}");
    let plain = ask(&address, "POST", PATH, &[LINES, key], row.as_bytes()).expect("an answer");
    assert_eq!((plain.status, plain.header("idempotency-replayed")), (202, "true"), "{plain:?}");
    assert_eq!(metric(&address, "driftlead_source_records_total"), 1);
    running.stop_well();
}
