//! `aeron_log_buffer_t`: the client's mapping of a log, to which each image that reads it holds a reference.
//!
//! `refcnt` is a plain integer, not an atomic: only the conductor creates and frees images. A stream that matches two
//! subscriptions has two images and one log buffer.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::ledger::{Counted, Owner, Tag};
use lastref::property::sometimes;

use super::errno::Errno;
use super::shm::{RawLog, Shm};

/// A mapped log.
#[derive(Debug)]
pub struct LogBuffer {
    correlation_id: i64,
    mapped_raw_log: Arc<RawLog>,
    /// The references with their holders; the mapping ends with the last one.
    references: Counted,
}

impl LogBuffer {
    /// The frame at `offset` of the term, if it is written.
    #[track_caller]
    pub(super) fn read(&self, by: Owner, offset: i64) -> Option<Tag> {
        self.references.touch(by);
        self.mapped_raw_log.read(offset)
    }

    /// `end_of_stream_position`, from the metadata in the mapping.
    #[track_caller]
    pub(super) fn end_of_stream_position(&self, by: Owner) -> i64 {
        self.references.touch(by);
        self.mapped_raw_log.end_of_stream_position()
    }
}

/// `log_buffer_by_id_map`.
#[derive(Debug)]
pub(super) struct LogBuffers {
    shm: Arc<Shm>,
    by_id: BTreeMap<i64, Entry>,
}

#[derive(Debug)]
struct Entry {
    log_buffer: Arc<LogBuffer>,
    refcnt: u32,
}

impl LogBuffers {
    pub(super) fn new(shm: Arc<Shm>) -> LogBuffers {
        LogBuffers { shm, by_id: BTreeMap::new() }
    }

    /// `aeron_client_conductor_get_or_create_log_buffer`. `holder` is the image that reads the log.
    pub(super) fn get_or_create(&mut self, id: i64, log: &Arc<RawLog>, holder: Owner) -> Result<Arc<LogBuffer>, Errno> {
        if let Some(entry) = self.by_id.get_mut(&id) {
            sometimes("two images share a log buffer", true);
            entry.refcnt += 1;
            entry.log_buffer.references.retain(holder);
            return Ok(Arc::clone(&entry.log_buffer));
        }
        self.shm.map_existing(log)?;
        let references = Counted::acquire("aeron_log_buffer_t", holder);
        let log_buffer = Arc::new(LogBuffer { correlation_id: id, mapped_raw_log: Arc::clone(log), references });
        self.by_id.insert(id, Entry { log_buffer: Arc::clone(&log_buffer), refcnt: 1 });
        Ok(log_buffer)
    }

    /// `aeron_client_conductor_release_log_buffer`.
    #[track_caller]
    pub(super) fn release(&mut self, log_buffer: &LogBuffer, holder: Owner) {
        let id = log_buffer.correlation_id;
        log_buffer.references.release(holder);
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        entry.refcnt -= 1;
        if entry.refcnt == 0 {
            self.shm.unmap(&log_buffer.mapped_raw_log);
            self.by_id.remove(&id);
        } else {
            log_buffer.references.expect_count(entry.refcnt);
        }
    }

    /// `aeron_client_conductor_delete_log_buffer`, for all logs, when the client closes, even if images still refer to
    /// them.
    pub(super) fn delete_all(&mut self) {
        for entry in std::mem::take(&mut self.by_id).into_values() {
            let LogBuffer { references, mapped_raw_log, .. } = &*entry.log_buffer;
            for holder in references.holders() {
                references.release(holder);
            }
            self.shm.unmap(mapped_raw_log);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
