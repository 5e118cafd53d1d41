//! `/dev/shm`: the raw logs, which driver and client map, in a file system of limited size.
//!
//! The driver creates a file for each stream of a publisher, and unlinks it when the image has ended; the client maps
//! it and never deletes it (`aeron_raw_log_free` without a file name only unmaps). A file that is unlinked but still
//! mapped keeps its space, so a client that leaks images makes the *driver* fail, for every client of the machine.

use std::sync::Arc;

use lastref::ledger::Tag;
use lastref::sync::Mutex;
use lastref::sync::atomic::{AtomicI64, Ordering};

use lastref::cell::RaceCell;

use super::errno::Errno;
use crate::kit::harness::impl_debug;

/// The length of a frame in its term, header included: `AERON_LOGBUFFER_FRAME_ALIGNMENT`.
pub const FRAME_LENGTH: i64 = 32;

/// Frames in a term. A stream of the model ends before its term does.
pub const FRAMES_MAX: i64 = 8;

/// A log whose stream has not ended: `INT64_MAX` in its metadata.
const NO_END: i64 = i64::MAX;

/// One log: a term buffer and its metadata, in memory that driver and client share.
pub struct RawLog {
    place: usize,
    frames: Vec<Frame>,
    /// `aeron_logbuffer_metadata_t.end_of_stream_position`.
    end_of_stream_position: AtomicI64,
}

struct Frame {
    /// Zero until the frame is written. The publisher stores it last.
    frame_length: AtomicI64,
    payload: RaceCell<Option<Tag>>,
}

impl RawLog {
    fn new(place: usize) -> RawLog {
        let frame = || Frame {
            frame_length: AtomicI64::named("frame_length", 0),
            payload: RaceCell::named("frame payload", None),
        };
        RawLog {
            place,
            frames: (0..FRAMES_MAX).map(|_| frame()).collect(),
            end_of_stream_position: AtomicI64::named("end_of_stream_position", NO_END),
        }
    }

    /// The publisher writes the frame at `offset`. False if the term is full.
    pub(super) fn append(&self, offset: i64, payload: Tag) -> bool {
        let Some(frame) = self.frame(offset) else { return false };
        frame.payload.set(Some(payload));
        frame.frame_length.store(FRAME_LENGTH, Ordering::Release);
        true
    }

    /// The frame at `offset`, if it is written.
    pub(super) fn read(&self, offset: i64) -> Option<Tag> {
        let frame = self.frame(offset)?;
        if frame.frame_length.load(Ordering::Acquire) <= 0 {
            return None;
        }
        frame.payload.get()
    }

    /// True if the frame at `offset` is written.
    pub(super) fn is_written(&self, offset: i64) -> bool {
        self.frame(offset).is_some_and(|frame| frame.frame_length.load(Ordering::Acquire) > 0)
    }

    /// Records that the publisher has ended its stream at `position`.
    pub(super) fn end(&self, position: i64) {
        self.end_of_stream_position.store(position, Ordering::Release);
    }

    pub(super) fn end_of_stream_position(&self) -> i64 {
        self.end_of_stream_position.load(Ordering::Acquire)
    }

    fn frame(&self, offset: i64) -> Option<&Frame> {
        usize::try_from(offset / FRAME_LENGTH).ok().and_then(|place| self.frames.get(place))
    }
}

/// The file system. Its capacity is a number of logs.
pub struct Shm {
    capacity: usize,
    files: Mutex<Vec<File>>,
}

#[derive(Clone, Copy)]
struct File {
    linked: bool,
    mappings: u32,
}

impl Shm {
    /// A file system with room for this many logs.
    pub fn new(capacity: u32) -> Arc<Shm> {
        Arc::new(Shm { capacity: capacity as usize, files: Mutex::named("/dev/shm", Vec::new()) })
    }

    /// Creates a log for the driver. `None` if no room is left: `ENOSPC`.
    pub fn create(&self) -> Option<Arc<RawLog>> {
        let mut files = self.files.lock();
        if files.iter().filter(|file| file.takes_room()).count() >= self.capacity {
            return None;
        }
        files.push(File { linked: true, mappings: 0 });
        Some(Arc::new(RawLog::new(files.len() - 1)))
    }

    /// `aeron_raw_log_map_existing`, which opens the file by its name.
    pub(super) fn map_existing(&self, log: &RawLog) -> Result<(), Errno> {
        let file = &mut self.files.lock()[log.place];
        if !file.linked {
            return Err(Errno::NoEnt);
        }
        file.mappings += 1;
        Ok(())
    }

    /// `aeron_raw_log_free` without a file name.
    pub(super) fn unmap(&self, log: &RawLog) {
        let file = &mut self.files.lock()[log.place];
        file.mappings = file.mappings.saturating_sub(1);
    }

    /// The driver deletes the file.
    pub(super) fn unlink(&self, log: &RawLog) {
        self.files.lock()[log.place].linked = false;
    }

    /// True if the logs that the driver has linked leave room, regardless of the clients' mappings.
    pub(super) fn has_room_for_linked_logs(&self) -> bool {
        self.files.lock().iter().filter(|file| file.linked).count() < self.capacity
    }

    /// The number of logs that the client maps.
    pub fn mapped(&self) -> u32 {
        self.files.lock().iter().map(|file| file.mappings).sum()
    }
}

impl File {
    fn takes_room(self) -> bool {
        self.linked || self.mappings > 0
    }
}

impl_debug!(RawLog { place });
impl_debug!(Shm { capacity });
