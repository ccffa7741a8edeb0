//! What SQLite says, as what the caller should do.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// Why something was not done, before it is known which file and what for.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The store's own rules were broken: what was expected, and what to do.
    Refused(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }

    /// The error of the store's file; `what` says what failed, as in "cannot be read".
    pub(super) fn at(self, file: &Path, what: &str) -> Error {
        let store = format!("the store `{}`", file.display());
        let error = match self {
            Self::Refused(message) => return Error::malformed(format!("{store} {what}: {message}")),
            Self::Sql(error) => error,
        };
        let (kind, why) = explain(&error);
        Error::new(kind, format!("{store} {what}: {why}")).with_source(error)
    }
}

fn explain(error: &rusqlite::Error) -> (ErrorKind, String) {
    use rusqlite::Error as Sql;
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            Sql::FromSqlConversionFailure(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::InvalidColumnType(..)
            | Sql::Utf8Error(..) => (ErrorKind::Malformed, format!("it is damaged ({error}); {DAMAGED}")),
            _ => (ErrorKind::Malformed, error.to_string()),
        };
    };
    match code {
        ErrorCode::DiskFull => (
            ErrorKind::Unavailable,
            "no space is left; free some on its disk: nothing was changed, and the next attempt may succeed".to_owned(),
        ),
        ErrorCode::SystemIoFailure => (
            ErrorKind::Unavailable,
            format!("its disk failed ({error}); look at the system's log: nothing was changed"),
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => (
            ErrorKind::Unavailable,
            "another program holds it; let that one finish: nothing was changed, and the next attempt may succeed"
                .to_owned(),
        ),
        ErrorCode::OutOfMemory => (ErrorKind::Unavailable, "no memory is left".to_owned()),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            (ErrorKind::Malformed, format!("it is damaged ({error}); {DAMAGED}"))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => (
            ErrorKind::Rejected,
            format!("{error}; let this user read and write the file and its folder, or name another `store`"),
        ),
        _ => (ErrorKind::Malformed, error.to_string()),
    }
}

/// What to do about a damaged file.
pub(super) const DAMAGED: &str = "look with `driftlead store check`; put a copy in its place, or move its folder away to \
                                  begin anew";
