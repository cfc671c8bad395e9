//! Read connections, lent one at a time to blocking threads.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connect_to_read;
use crate::{Result, StoreError};

/// Read connections of a process.
const READERS: usize = 4;

#[derive(Clone)]
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    jobs: Arc<AtomicU64>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let free = (0..READERS).map(|_| connect_to_read(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            free: Arc::new(Mutex::new(free)),
            places: Arc::new(Semaphore::new(READERS)),
            jobs: Arc::default(),
        })
    }

    pub(super) fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let gone = |_| StoreError::Unavailable("the store is closed".to_owned());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(gone)?;
        let free = Arc::clone(&self.free);
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            let lock = || free.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = lock()
                .pop()
                .ok_or_else(|| StoreError::Unavailable("no read connection".to_owned()))?;
            let result = job(&connection);
            lock().push(connection);
            result
        });
        task.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}
