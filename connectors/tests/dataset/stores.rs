//! Object stores: reading from Azurite and from memory, how many requests that takes, and what a wrong setting says.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use driftlead_connectors::baseline_file::{self, Replaces};
use driftlead_connectors::dataset::{Dataset, OpenOptions, ReadOptions, Remotes};
use driftlead_connectors::error::{Error, ErrorKind};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parquet::basic::Compression;

use super::azurite::{ACCOUNT, Azurite, KEY, azurite, mark, upload};
use super::files::{Folder, flights, integers, strings};

fn with(environment: &[(&str, &str)]) -> OpenOptions {
    let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    OpenOptions {
        remotes: Arc::new(Remotes::new(variables).without_identity_service()),
        ..OpenOptions::default()
    }
}

fn open(url: &str, options: &OpenOptions) -> Result<Dataset, Error> {
    Dataset::open(&[url.to_owned()], options)
}

fn emulator(azurite: &Azurite) -> OpenOptions {
    OpenOptions { remotes: Arc::new(Remotes::new(azurite.environment())), ..OpenOptions::default() }
}

/// Uploads two months of flights and a marker of Spark's.
fn two_months(store: &dyn ObjectStore) {
    let folder = Folder::new();
    for (month, start) in [("2001-01", 0), ("2001-02", 1000)] {
        let path = folder.parquet("a.parquet", &flights(start, 1000));
        upload(store, &format!("flights/month={month}/part-0.parquet"), &path);
    }
    upload(store, "flights/_SUCCESS", &folder.bytes("empty", b""));
    upload(store, "flights/_old/part-0.parquet", &folder.parquet("b.parquet", &flights(5000, 10)));
}

fn reads_two_months(base: &str, options: &OpenOptions) {
    for url in ["flights", "flights/", "flights/**/*.parquet", "fl*/month=2001-0[12]/part-0.parquet"] {
        let data = open(&format!("{base}/{url}"), options).unwrap();
        assert_eq!(data.files().len(), 2, "{url}");
        assert_eq!(integers(&data, "id"), (0..2000).collect::<Vec<i64>>(), "{url}");
        assert_eq!(strings(&data, "month")[1000], Some("2001-02".to_owned()), "{url}");
        assert_eq!(strings(&data, "origin")[1], Some("DEN".to_owned()), "{url}");
    }
    let one = open(&format!("{base}/flights/month=2001-02/part-0.parquet"), options).unwrap();
    assert_eq!((one.n_rows(), one.column("month")), (Some(1000), None));
    assert_eq!(one.files().next().unwrap().name(), format!("{base}/flights/month=2001-02/part-0.parquet"));
}

#[test]
fn memory_is_a_store_like_any_other() {
    let store = Arc::new(InMemory::new());
    two_months(store.as_ref());
    let remotes = Remotes::new([]).with_store("memory://test", store).unwrap();
    let options = OpenOptions { remotes: Arc::new(remotes), ..OpenOptions::default() };
    reads_two_months("memory://test", &options);

    let message = open("memory://test/none", &options).unwrap_err().to_string();
    assert_eq!(
        message,
        "`memory://test/none` does not exist: there is no object of this name and no data file below it"
    );
    let message = open("memory://test/none/*.parquet", &options).unwrap_err().to_string();
    assert!(message.starts_with("no file matches `memory://test/none/*.parquet`"), "{message}");
}

#[test]
fn azure_is_read_by_container_and_by_account() {
    let azurite = azurite();
    let container = azurite.container();
    two_months(&azurite.client(&container));
    reads_two_months(&format!("az://{container}"), &emulator(azurite));
    reads_two_months(&format!("abfss://{container}@{ACCOUNT}.dfs.core.windows.net"), &emulator(azurite));
    reads_two_months(&format!("https://{ACCOUNT}.blob.core.windows.net/{container}"), &emulator(azurite));

    let endpoint = format!("{}/{ACCOUNT}", azurite.url());
    let string = format!("AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};");
    reads_two_months(&format!("adl://{container}"), &with(&[("AZURE_STORAGE_CONNECTION_STRING", &string)]));
}

#[test]
fn a_baseline_is_kept_in_azure() {
    let azurite = azurite();
    let container = azurite.container();
    let remotes = Remotes::new(azurite.environment());
    let url = format!("az://{container}/models/flights.parquet");
    let rows = vec![baseline_file::FeatureRow {
        feature: "delay".to_owned(),
        state: vec![1, 2],
        ..Default::default()
    }];
    baseline_file::write(&url, Replaces::Nothing, &rows, &Default::default(), &remotes).unwrap();
    assert!(baseline_file::is_baseline(&url, &remotes).unwrap());
    assert_eq!(baseline_file::read(&url, &remotes).unwrap().0, rows);

    // Written over only if asked to.
    assert_eq!(baseline_file::look(&url, &remotes).unwrap(), Replaces::Baseline);
    let error =
        baseline_file::write(&url, Replaces::Nothing, &rows, &Default::default(), &remotes).unwrap_err();
    assert!(error.to_string().contains("appeared while the baseline was made"), "{error}");
    baseline_file::write(&url, Replaces::Baseline, &rows, &Default::default(), &remotes).unwrap();
    let beside = format!("az://{container}/models/other.parquet");
    assert_eq!(baseline_file::look(&beside, &remotes).unwrap(), Replaces::Nothing);
    let error = baseline_file::look("az://no-such-container/b.parquet", &remotes).unwrap_err();
    assert!(error.to_string().contains("has no such container; check the name"), "{error}");
}

/// 200,000 rows in two row groups, about 1.6 MB a column and row group in some 40 pages each.
#[test]
fn pages_do_not_cost_a_request_each() {
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let folder = Folder::new();
    let path = folder.parquet_with("a.parquet", &flights(0, 400_000), |p| {
        p.set_max_row_group_row_count(Some(200_000))
            .set_data_page_row_count_limit(5000)
            .set_write_batch_size(1000)
            .set_dictionary_enabled(false)
            .set_compression(Compression::UNCOMPRESSED)
    });
    upload(&store, "a.parquet", &path);
    let data = open(&format!("az://{container}/a.parquet"), &emulator(azurite)).unwrap();
    mark(&store, "opened");
    let opened = azurite.requests("GET", &container, "a.parquet", "opened").len();
    assert!(opened <= 4, "{opened} requests to open a file");

    assert_eq!(integers(&data, "id").len(), 400_000);
    mark(&store, "column");
    let column = azurite.requests("GET", &container, "a.parquet", "column").len() - opened;
    assert_eq!(column, 2, "one request for each chunk of up to 4 MiB");

    let before = opened + column;
    let mut rows = 0;
    for part in data.parts() {
        for batch in data.read(part, &[0, 1, 2], &ReadOptions::default()).unwrap() {
            rows += batch.unwrap().num_rows();
        }
    }
    assert_eq!(rows, 400_000);
    mark(&store, "all");
    let all = azurite.requests("GET", &container, "a.parquet", "all").len() - before;
    assert!(all <= 10, "{all} requests for two row groups of about 4 MB");

    // Far apart and few: only the blocks that hold them.
    let picked =
        data.read_rows(&data.parts()[1], &[0], &[0..10, 199_990..200_000], &ReadOptions::default()).unwrap();
    let ids: Vec<i64> = picked
        .flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, (200_000..200_010).chain(399_990..400_000).collect::<Vec<i64>>());
}

#[test]
fn large_columns_are_fetched_in_blocks() {
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let folder = Folder::new();
    let path = folder.parquet_with("a.parquet", &flights(0, 1 << 20), |p| {
        p.set_dictionary_enabled(false).set_compression(Compression::UNCOMPRESSED)
    });
    upload(&store, "a.parquet", &path);
    let data = open(&format!("az://{container}/a.parquet"), &emulator(azurite)).unwrap();
    mark(&store, "before");
    let before = azurite.requests("GET", &container, "a.parquet", "before").len();
    assert_eq!(integers(&data, "id"), (0..1 << 20).collect::<Vec<i64>>());
    mark(&store, "after");
    let count = azurite.requests("GET", &container, "a.parquet", "after").len() - before;
    assert!((2..=4).contains(&count), "8 MiB in {count} requests");
}

#[test]
fn an_object_that_changes_is_not_mixed() {
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let folder = Folder::new();
    upload(&store, "a.parquet", &folder.parquet("a.parquet", &flights(0, 1000)));
    let url = format!("az://{container}/a.parquet");
    let data = open(&url, &emulator(azurite)).unwrap();
    upload(&store, "a.parquet", &folder.parquet("a.parquet", &flights(7, 1000)));
    let error = data
        .read(&data.parts()[0], &[0], &ReadOptions::default())
        .and_then(|batches| batches.collect::<Result<Vec<_>, Error>>())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{url}` changed while it was being read: run again once it is written completely")
    );
}

#[test]
fn a_wrong_key_is_explained() {
    let azurite = azurite();
    let container = azurite.container();
    let url = format!("az://{container}/a.parquet");
    let mut environment = azurite.environment();
    environment.push(("AZURE_STORAGE_ACCOUNT_KEY".to_owned(), "d3Jvbmcga2V5".to_owned()));
    let options = OpenOptions { remotes: Arc::new(Remotes::new(environment)), ..OpenOptions::default() };
    let error = open(&url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with(&format!("`{url}`: access was refused (403): ")), "{message}");
    assert!(message.contains("AZURE_STORAGE_ACCOUNT_KEY") && message.contains(ACCOUNT), "{message}");
    assert!(!message.contains("d3Jvbmcga2V5"), "no key in a message");
    assert!(!error.retryable());

    let options =
        with(&[("AZURE_STORAGE_ACCOUNT_NAME", "acc"), ("AZURE_STORAGE_ACCOUNT_KEY", "not base64!")]);
    let error = open(&url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("AZURE_STORAGE_ACCOUNT_KEY is not a valid key"), "{error}");
}

#[test]
fn a_missing_container_and_a_missing_blob_are_told_apart() {
    let azurite = azurite();
    let options = emulator(azurite);
    let error = open("az://no-such-container/a.parquet", &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("storage account `{ACCOUNT}` has no such container; check the name")),
        "{error}"
    );
    let url = format!("az://{}/a.parquet", azurite.container());
    let error = open(&url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().starts_with(&format!("`{url}` does not exist: there is no object")), "{error}");
}

#[test]
fn missing_variables_are_named() {
    let message = |url: &str, environment: &[(&str, &str)]| {
        let error = open(url, &with(environment)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
        error.to_string()
    };
    let text = message("az://ml/a.parquet", &[]);
    assert!(
        text.starts_with("`az://ml`: no storage account is named: set AZURE_STORAGE_ACCOUNT_NAME"),
        "{text}"
    );
    assert!(text.contains("`abfss://ml@ACCOUNT.dfs.core.windows.net/path`"), "{text}");
    let text = message("abfss://ml@acc.dfs.core.windows.net/a.parquet", &[]);
    assert!(
        text.contains("no credentials for storage account `acc`: set AZURE_STORAGE_ACCOUNT_KEY"),
        "{text}"
    );
    let text = message("s3://bucket/a.parquet", &[]);
    assert!(text.contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{text}");
    let text = message("gs://bucket/a.parquet", &[]);
    assert!(text.contains("set GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS"), "{text}");
}

/// A server that gives every request the same answer.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count == 1)
            {
                request.push(byte[0]);
            }
            let length = if request.starts_with(b"HEAD") { "" } else { body };
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{length}",
                length.len()
            );
        }
    });
    format!("http://{address}")
}

fn s3(endpoint: &str) -> OpenOptions {
    with(&[
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ])
}

#[test]
fn other_stores_explain_their_refusals() {
    let refused = answering("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>");
    let error = open("s3://bucket/a.parquet", &s3(&refused)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(
        error.to_string().starts_with("`s3://bucket/a.parquet`: access was refused (403): check AWS_ACCESS"),
        "{error}"
    );

    let missing = answering("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>");
    let error = open("s3://bucket/data/", &s3(&missing)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(error.to_string().ends_with("there is no such bucket; check the name"), "{error}");

    let key = format!(
        r#"{{"gcs_base_url":"{refused}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    let options = with(&[("GOOGLE_SERVICE_ACCOUNT_KEY", &key), ("GOOGLE_ALLOW_HTTP", "true")]);
    let error = open("gs://bucket/a.parquet", &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(
        error.to_string().contains("check GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS"),
        "{error}"
    );
}

#[test]
fn a_store_that_is_not_there_may_be_tried_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = open("s3://bucket/a.parquet", &s3(&format!("http://{nobody}"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.retryable());
    assert!(
        error.to_string().contains("the bucket cannot be reached; check AWS_REGION, AWS_ENDPOINT_URL"),
        "{error}"
    );
}

#[test]
fn one_set_may_span_stores() {
    let store = Arc::new(InMemory::new());
    let folder = Folder::new();
    let local = folder.parquet("b.parquet", &flights(10, 10));
    upload(store.as_ref(), "a.parquet", &folder.parquet("a.parquet", &flights(0, 10)));
    let remotes = Remotes::new([]).with_store("memory://test", store).unwrap();
    let options = OpenOptions { remotes: Arc::new(remotes), ..OpenOptions::default() };
    let data = Dataset::open(&["memory://test/a.parquet".to_owned(), local], &options).unwrap();
    let mut ids = integers(&data, "id");
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<i64>>());
}
