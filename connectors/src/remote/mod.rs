//! Object stores: one connection a container or bucket, shared by all that read from it.
//!
//! Readers are synchronous and run on rayon's threads; requests run on a small tokio runtime of their own, and a reader
//! waits for its answer on a channel. So nothing here may be called from within that runtime, and nothing needs to be.

mod address;
mod blocks;
mod explain;
mod store;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

pub(crate) use blocks::Blocks;

use crate::error::{Error, Result};
use crate::location::{Object, Partition, Pattern, delta_table, is_hidden};

/// Threads of the runtime. They only move bytes and decrypt TLS.
const RUNTIME_THREADS: usize = 2;

/// All object stores of a run, opened when first needed, and the environment that their credentials come from.
///
/// Share one between data sets (it is meant to stand in an `Arc`): connections and tokens are then reused.
#[derive(Debug)]
pub struct Remotes {
    environment: BTreeMap<String, String>,
    identity_service: bool,
    stores: Mutex<BTreeMap<String, Arc<Store>>>,
    runtime: Mutex<Option<Arc<Background>>>,
}

impl Default for Remotes {
    /// Credentials come from the environment of the process.
    fn default() -> Self {
        // Values that are not text cannot be credentials.
        Self::new(
            std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))),
        )
    }
}

impl Remotes {
    /// Credentials come from the given variables (`AZURE_*`, `AWS_*`, `GOOGLE_*`) and nothing else.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            environment: environment.into_iter().collect(),
            identity_service: true,
            stores: Mutex::new(BTreeMap::new()),
            runtime: Mutex::new(None),
        }
    }

    /// Asks no identity service of the machine (managed identity, instance role) for credentials: only variables count.
    #[must_use]
    pub fn without_identity_service(mut self) -> Self {
        self.identity_service = false;
        self
    }

    /// Uses `store` for every URL that begins with `base` (`scheme://authority`), for instance `memory://test`.
    ///
    /// # Errors
    /// Unavailable, if no thread can be started.
    pub fn with_store(self, base: &str, store: Arc<dyn ObjectStore>) -> Result<Self> {
        let opened = Store {
            base: base.to_owned(),
            kind: store::Kind::Given,
            account: None,
            store,
            runtime: self.runtime()?,
        };
        self.lock_stores().insert(base.to_owned(), Arc::new(opened));
        Ok(self)
    }

    /// The store of `scheme://authority`, opened if it is not yet.
    pub(crate) fn store(&self, base: &str) -> Result<Arc<Store>> {
        if let Some(store) = self.lock_stores().get(base) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(store::open(base, &self.environment, self.identity_service, self.runtime()?)?);
        self.lock_stores().insert(base.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    /// The objects that a URL names: see [`crate::location::expand`]. Empty if a folder or glob holds none.
    pub(crate) fn expand(
        &self,
        typed: &str,
        base: &str,
        key: &str,
        accepts: fn(&str) -> bool,
    ) -> Result<Vec<Object>> {
        let store = self.store(base)?;
        if Pattern::is_glob(key) {
            let pattern = Pattern::compile(key, typed)?;
            return store.list(&pattern.base, &|below| pattern.matches(below));
        }
        if !key.is_empty() && !key.ends_with('/') {
            match store.head(key)? {
                // A folder of a hierarchical namespace answers like an empty object.
                Some(meta) if meta.size > 0 => return Ok(vec![Object::remote(store, meta, Vec::new())]),
                Some(meta) => {
                    let below = store.list_folder(typed, key, accepts)?;
                    return Ok(if below.is_empty() {
                        vec![Object::remote(store, meta, Vec::new())]
                    } else {
                        below
                    });
                }
                None => {
                    let below = store.list_folder(typed, key, accepts)?;
                    if below.is_empty() {
                        return Err(Error::misconfigured(format!(
                            "`{typed}` does not exist: there is no object of this name and no data file below it"
                        )));
                    }
                    return Ok(below);
                }
            }
        }
        store.list_folder(typed, key, accepts)
    }

    fn lock_stores(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Store>>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> Result<Arc<Background>> {
        let mut slot = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = slot.as_ref() {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Background::start()?);
        *slot = Some(Arc::clone(&runtime));
        Ok(runtime)
    }
}

/// An opened container or bucket.
#[derive(Debug)]
pub(crate) struct Store {
    base: String,
    kind: store::Kind,
    account: Option<String>,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Background>,
}

impl Store {
    /// The URL of a key, for messages and as identity.
    pub(crate) fn name_of(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    /// Size and tag of an object; `None` if there is none of this key.
    pub(crate) fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let path = self.path(key)?;
        let store = Arc::clone(&self.store);
        match self.wait(async move { store.head(&path).await }) {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain(key, error)),
        }
    }

    /// The bytes of an object; `None` if there is none of this key.
    pub(crate) fn size(&self, key: &str) -> Result<Option<u64>> {
        Ok(self.head(key)?.map(|meta| meta.size))
    }

    /// Whether there are objects below a key.
    pub(crate) fn is_folder(&self, key: &str) -> Result<bool> {
        let prefix = self.path(key)?;
        let store = Arc::clone(&self.store);
        let first = self.wait(async move { store.list(Some(&prefix)).try_next().await });
        first.map(|first| first.is_some()).map_err(|error| self.explain(key, error))
    }

    /// Writes a whole object; readers see the old one or the new one.
    pub(crate) fn put(&self, key: &str, bytes: impl Into<PutPayload>) -> Result<()> {
        self.put_with(key, bytes.into(), PutMode::Overwrite)?.map_err(|error| self.explain(key, error))
    }

    /// Writes a whole object where there is none; answers whether it did.
    pub(crate) fn create(&self, key: &str, bytes: impl Into<PutPayload>) -> Result<bool> {
        let bytes = bytes.into();
        match self.put_with(key, bytes.clone(), PutMode::Create)? {
            Ok(()) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            // Some stores that speak S3 have no conditional requests, or are said to have none.
            Err(object_store::Error::NotImplemented { .. }) => self.put(key, bytes).map(|()| true),
            Err(error) => Err(self.explain(key, error)),
        }
    }

    fn put_with(
        &self,
        key: &str,
        bytes: PutPayload,
        mode: PutMode,
    ) -> Result<Result<(), object_store::Error>> {
        let path = self.path(key)?;
        let store = Arc::clone(&self.store);
        Ok(self.wait(async move { store.put_opts(&path, bytes, mode.into()).await.map(drop) }))
    }

    fn list_folder(
        self: &Arc<Self>,
        typed: &str,
        folder: &str,
        accepts: fn(&str) -> bool,
    ) -> Result<Vec<Object>> {
        let mut is_delta = false;
        let objects = self.list_with(folder, |below| {
            is_delta |= below.starts_with("_delta_log/");
            !below.split('/').any(is_hidden) && accepts(below)
        })?;
        if is_delta { Err(delta_table(typed)) } else { Ok(objects) }
    }

    fn list(self: &Arc<Self>, folder: &str, takes: &dyn Fn(&str) -> bool) -> Result<Vec<Object>> {
        self.list_with(folder, takes)
    }

    /// All objects below `folder` whose path relative to it is taken.
    fn list_with(self: &Arc<Self>, folder: &str, mut takes: impl FnMut(&str) -> bool) -> Result<Vec<Object>> {
        let prefix = self.path(folder.trim_end_matches('/'))?;
        let store = Arc::clone(&self.store);
        let wanted = prefix.clone();
        let metas: Vec<ObjectMeta> = self
            .wait(async move {
                let prefix = (!wanted.as_ref().is_empty()).then_some(&wanted);
                store.list(prefix).try_collect().await
            })
            .map_err(|error| self.explain(folder, error))?;
        let mut objects = Vec::new();
        for meta in metas {
            let location = meta.location.clone();
            let Some(below) = location.as_ref().strip_prefix(prefix.as_ref()) else { continue };
            let below = below.trim_start_matches('/');
            if !below.is_empty() && takes(below) {
                objects.push(Object::remote(Arc::clone(self), meta, Partition::of_path(below)));
            }
        }
        Ok(objects)
    }

    fn path(&self, key: &str) -> Result<Path> {
        Path::parse(key).map_err(|error| {
            Error::misconfigured(format!("`{}` is not a valid object path: {error}", self.name_of(key)))
        })
    }

    /// Runs a request on the runtime and waits for it.
    fn wait<T: Send + 'static>(&self, request: impl Future<Output = T> + Send + 'static) -> T {
        let answer = self.start(request);
        answer.recv().expect("the task sends its answer before it ends, and is never aborted")
    }

    /// Starts a request on the runtime.
    fn start<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            // The reader may have been dropped meanwhile; then nobody wants the answer.
            let _ = sender.send(request.await);
        });
        receiver
    }

    fn explain(&self, key: &str, error: object_store::Error) -> Error {
        explain::explain(self, &self.name_of(key), error)
    }
}

/// A tokio runtime that may be dropped anywhere, also within another runtime.
#[derive(Debug)]
struct Background(Option<tokio::runtime::Runtime>);

impl Background {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("object-store")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::unavailable("the threads that talk to object stores cannot be started")
                    .with_source(error)
            })?;
        Ok(Self(Some(runtime)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
