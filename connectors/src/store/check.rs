//! Whether a store is whole: `driftlead store check`.
//!
//! It reads everything in one transaction and changes nothing, so it may run beside the service. SQLite's own checks
//! come first; then what the store promises beyond them, each a query that lists what breaks it.

use std::path::Path;

use rusqlite::Connection;

use super::reader::Reader;
use super::{schema, window};
use crate::error::Result;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, or `file` for what concerns all.
    pub table: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

/// Checks the store of a folder; a sound one has no findings. Of each kind at most 100 are listed.
///
/// # Errors
/// If there is no store, it is none of ours or of another version, or it is too damaged to be opened at all.
pub fn check(folder: &Path) -> Result<Vec<Finding>> {
    let reader = Reader::open(folder)?;
    let transaction = reader.connection().unchecked_transaction().map_err(|error| reader.fault(error))?;
    let mut findings = Vec::new();
    list(&transaction, "file", "PRAGMA integrity_check(100)", &mut findings);
    findings.retain(|finding| finding.message != "ok");
    list(
        &transaction,
        "file",
        "SELECT 'row ' || rowid || ' of table ' || \"table\" || ' belongs to a row of table ' || parent
                || ' that does not exist' FROM pragma_foreign_key_check LIMIT 100",
        &mut findings,
    );
    compare_schema(&transaction, &mut findings);
    for (table, sql) in RULES {
        list(&transaction, table, &format!("SELECT * FROM ({sql}) LIMIT 100"), &mut findings);
    }
    compare_documents(&transaction, &mut findings);
    Ok(findings)
}

/// Adds a finding for each row of a query; that it cannot be run is one too.
fn list(connection: &Connection, table: &'static str, sql: &str, findings: &mut Vec<Finding>) {
    let rows = || -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    match rows() {
        Ok(messages) => findings.extend(messages.into_iter().map(|message| Finding { table, message })),
        Err(error) => findings.push(Finding { table, message: format!("cannot be read: {error}") }),
    }
}

/// Tables, indexes and triggers are those that the steps of this version make.
fn compare_schema(connection: &Connection, findings: &mut Vec<Finding>) {
    const OBJECTS: &str =
        "SELECT type || ' ' || name || ': ' || sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1";
    let texts = |connection: &Connection| -> rusqlite::Result<Vec<String>> {
        connection.prepare(OBJECTS)?.query_map([], |row| row.get(0))?.collect()
    };
    let expected = || {
        let fresh = Connection::open_in_memory()?;
        for step in schema::STEPS {
            fresh.execute_batch(step)?;
        }
        texts(&fresh)
    };
    match (texts(connection), expected()) {
        (Ok(found), Ok(expected)) => {
            let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
            let missing = expected.iter().filter(|text| !found.contains(text));
            let foreign = found.iter().filter(|text| !expected.contains(text));
            findings.extend(missing.map(|text| Finding {
                table: "file",
                message: format!("{} is missing or was changed", name(text)),
            }));
            findings.extend(foreign.map(|text| Finding {
                table: "file",
                message: format!("{} is none that driftlead makes", name(text)),
            }));
        }
        (Err(error), _) | (_, Err(error)) => {
            findings.push(Finding { table: "file", message: format!("its tables cannot be read: {error}") });
        }
    }
}

/// Every document has the hash that was committed with it.
fn compare_documents(connection: &Connection, findings: &mut Vec<Finding>) {
    let mut compare = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(
            "SELECT id, revision, digest, document FROM windows WHERE document IS NOT NULL ORDER BY seq",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (digest, document) = (row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_str()?);
            if digest != window::digest(document) {
                findings.push(Finding {
                    table: "windows",
                    message: format!(
                        "revision {} of window {} is not what was committed",
                        row.get::<_, i64>(1)?,
                        row.get::<_, String>(0)?
                    ),
                });
            }
        }
        Ok(())
    };
    if let Err(error) = compare() {
        findings.push(Finding { table: "windows", message: format!("cannot be read: {error}") });
    }
}

/// Queries that list what breaks a promise of the store, as text.
const RULES: &[(&str, &str)] = &[
    (
        "series",
        "SELECT 'series ' || id || ' of model ' || model || ' has panes and no head' FROM series
         WHERE length(head) = 0 AND id IN (SELECT series FROM slots)",
    ),
    (
        "slots",
        "SELECT 'pane ' || pane || ' of series ' || series || ', segment ''' || segment || ''', has no state'
         FROM slots WHERE length(state) = 0",
    ),
    ("tracks", "SELECT 'the track of series ' || series || ' is empty' FROM tracks WHERE length(state) = 0"),
    (
        "partitions",
        "SELECT 'partition ' || topic || '[' || number || '] of source ' || source || ' has position ' || next
         FROM partitions WHERE next < 0",
    ),
    (
        "windows",
        "SELECT 'window ' || id || ' has ' || sum(newest) || ' newest revisions, expected its last one'
         FROM windows GROUP BY id HAVING sum(newest) <> 1 OR max(revision) <> max(revision * newest)",
    ),
    (
        "windows",
        "SELECT 'window ' || id || ' has revisions after its final one' FROM windows
         GROUP BY id HAVING max(final) = 1 AND max(revision) <> max(revision * final)",
    ),
    (
        "windows",
        "SELECT 'the document of revision ' || revision || ' of window ' || id || ' is no JSON' FROM windows
         WHERE document IS NOT NULL AND NOT json_valid(document)",
    ),
    ("alerts", "SELECT 'the document of alert ' || id || ' is no JSON' FROM alerts WHERE NOT json_valid(document)"),
    (
        "silences",
        "SELECT 'the matcher of silence ' || id || ' is no JSON' FROM silences WHERE NOT json_valid(matcher)",
    ),
    ("counters", "SELECT 'counter ' || name || ' is no JSON' FROM counters WHERE NOT json_valid(value)"),
    (
        "outbox",
        "SELECT 'message ' || key || iif(held, ' is held by none', ' is not held by an earlier one of its lane')
         FROM outbox AS later WHERE state = 'pending' AND held <> EXISTS (
             SELECT 1 FROM outbox AS earlier
             WHERE earlier.sink = later.sink AND earlier.lane = later.lane AND earlier.state = 'pending'
               AND earlier.seq < later.seq)",
    ),
    ("outbox", "SELECT 'message ' || key || ' is empty' FROM outbox WHERE body = ''"),
];
