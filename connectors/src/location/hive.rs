//! Partition columns in folder names: `month=2001-01/part-0.parquet`.
//!
//! Only folders that were found below what was typed count. Who types `flights/month=2001-01/` has chosen the month; as
//! a column it would be one constant that differs from the baseline's and would look like drift.

use percent_encoding::percent_decode_str;

/// The folder value that Hive and Spark write for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// One `key=value` folder: the column and its value in every row of the file; `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

impl Partition {
    /// The partitions of a file, from its path below what was typed (forward slashes; the last component is the file).
    /// Keys and values are percent-decoded, as Hive and Spark encode them; undecodable ones are taken as written.
    pub(crate) fn of_path(path: &str) -> Vec<Self> {
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        let mut partitions: Vec<Self> = Vec::new();
        for folder in folders.split('/') {
            let Some((key, value)) = folder.split_once('=') else { continue };
            if key.is_empty() {
                continue;
            }
            let key = decode(key);
            let value = (value != NULL).then(|| decode(value));
            // The innermost folder wins, should a key stand twice.
            partitions.retain(|partition| partition.key != key);
            partitions.push(Self { key, value });
        }
        partitions
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Vec<(String, Option<String>)> {
        Partition::of_path(path).into_iter().map(|p| (p.key, p.value)).collect()
    }

    #[test]
    fn folders_become_columns_in_order() {
        let expected =
            vec![("year".to_owned(), Some("2001".to_owned())), ("origin".to_owned(), Some("ATL".to_owned()))];
        assert_eq!(of("year=2001/x/origin=ATL/part-0.parquet"), expected);
    }

    #[test]
    fn null_escapes_and_equals_signs() {
        assert_eq!(of("k=__HIVE_DEFAULT_PARTITION__/f"), vec![("k".to_owned(), None)]);
        assert_eq!(of("k=a%2Fb%20c/f"), vec![("k".to_owned(), Some("a/b c".to_owned()))]);
        assert_eq!(of("k=a=b/f"), vec![("k".to_owned(), Some("a=b".to_owned()))]);
        assert_eq!(of("k=/f"), vec![("k".to_owned(), Some(String::new()))]);
        assert_eq!(of("k=%FF/f"), vec![("k".to_owned(), Some("%FF".to_owned()))]);
        assert!(of("=v/f").is_empty());
    }

    #[test]
    fn a_file_name_is_no_partition() {
        assert!(of("k=v.parquet").is_empty());
    }
}
