//! `BodyReader`: a request's body as a list of pooled buffers, itself pooled (v1.5.12 with 00a897c, body.go).
//!
//! ```text
//!            NewBodyReader           Close                 releaseRequest: zero, Put
//!  pooled ───────────────► open ───────────────► closed ───────────────────────────► pooled
//!                          │  ▲                  │   ▲
//!                          └──┘ append, Read     └───┘ Close, Read: nothing, EOF
//! ```
//!
//! `Close` may be called any number of times and only frees; only `releaseRequest` puts. In the version with the
//! reported defect `Close` puts as well: see [`Variant::ClosePuts`].
//!
//! | version | `Close` | Put |
//! | --- | --- | --- |
//! | v1.2.18 | frees the buffer if there is one | in `releaseRequest` |
//! | v1.5.4 to v1.5.11 | frees, zeroes | in `Close`, each time |
//! | v1.5.12 to v1.6.9 | once, by `closed`; frees, leaves the buffers in place | in `releaseRequest` |
//! | v1.6.10 | once, by `closed`; frees, clears | in `releaseRequest` |
//!
//! Left out: `Index`, `Left`, `Buffers`, `Engine` and `RawBodyBuffers`, which return memory that a handler must not
//! keep.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lastref::ledger::Owner;
use lastref::property::sometimes;
use serde::{Deserialize, Serialize};

use super::audit::{Fields, Loan};
use super::engine::Engine;
use super::error::{GoPanic, NbError};
use super::mempool::Buffer;
use super::octet::Octet;
use super::variant::Variant;

/// The version of `Close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseStyle {
    /// v1.2.18: a reader without a buffer is closed.
    NoBuffer,
    /// v1.5.12 and later: the field `closed`.
    ClosedField,
}

/// The pooled struct.
#[derive(Debug)]
pub(super) struct BodyReader {
    number: u32,
    fields: Fields<BodyFields>,
}

#[derive(Debug, Default)]
struct BodyFields {
    index: usize,
    left: usize,
    buffers: Vec<Buffer>,
    /// Whether `engine` is set.
    engine: bool,
    closed: bool,
}

/// A `*BodyReader` with its loan.
#[derive(Clone, Debug)]
pub struct BodyRef {
    reader: Arc<BodyReader>,
    loan: Loan,
}

/// The result of a `Read` that does not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next part of the body.
    Data(Vec<Octet>),
    /// `io.EOF`.
    Eof,
}

impl BodyRef {
    /// `NewBodyReader`.
    #[track_caller]
    pub fn new(engine: &Engine, by: Owner) -> BodyRef {
        let audit = engine.plan.audit;
        let reader = engine.body_reader_pool.get().unwrap_or_else(|| {
            let fields = Fields::new(audit.objects(), "BodyReader", BodyFields::default());
            Arc::new(BodyReader { number: engine.readers.fetch_add(1, Ordering::Relaxed), fields })
        });
        let loan = Loan::begin(audit.objects(), "BodyReader", by);
        // upstream: body.go NewBodyReader, before 00a897c, set the engine and nothing else.
        let engine_only = matches!(engine.variant, Variant::ClosePuts | Variant::GetWithoutResetClosed);
        reader.fields.with_mut(|br| {
            if !engine_only {
                *br = BodyFields::default();
            }
            br.engine = true;
        });
        tell(engine, format_args!("{by}: NewBodyReader gets reader#{}", reader.number));
        BodyRef { reader, loan }
    }

    /// `append`.
    ///
    /// # Errors
    ///
    /// [`NbError::TooLong`] beyond `MaxHTTPBodySize`; [`NbError::Panic`] if the reader has no engine.
    #[track_caller]
    pub fn append(&self, engine: &Engine, data: &[Octet], by: Owner) -> Result<(), NbError> {
        self.loan.touch(by);
        if data.is_empty() {
            return Ok(());
        }
        let (has_engine, left, tail) = self.reader.fields.with(|br| (br.engine, br.left, br.buffers.last().cloned()));
        if !has_engine {
            return Err(GoPanic::NilEngine.into());
        }
        if engine.plan.max_http_body_size.is_some_and(|size| left + data.len() > size as usize) {
            return Err(NbError::TooLong);
        }
        self.reader.fields.with_mut(|br| br.left += data.len());
        tell(engine, format_args!("{by}: reader#{} append, with {left} left", self.reader.number));
        let mut data = data;
        if let Some(tail) = tail.filter(|tail| tail.cap() > tail.len()) {
            let (len, room) = (tail.len(), tail.cap() - tail.len());
            // upstream: body.go append. A tail grown to its capacity exposes what its array held before.
            let to_cap = engine.variant == Variant::AppendGrowsToCap;
            let grown = if room > data.len() && !to_cap { len + data.len() } else { tail.cap() };
            let tail = tail.resliced(grown);
            let copied = tail.write(len, data, by);
            sometimes("a chunk is appended to the buffer of another chunk", true);
            self.reader.fields.with_mut(|br| {
                if let Some(last) = br.buffers.last_mut() {
                    *last = tail;
                }
            });
            data = &data[copied..];
        }
        if !data.is_empty() {
            let buffer = engine.body_allocator.malloc_copy(data, by);
            self.reader.fields.with_mut(|br| br.buffers.push(buffer));
        }
        Ok(())
    }

    /// `Read`, of at most `need` octets.
    ///
    /// # Errors
    ///
    /// [`GoPanic::NilEngine`] if the reader has no engine.
    #[track_caller]
    pub fn read(&self, engine: &Engine, need: usize, by: Owner) -> Result<Read, GoPanic> {
        self.loan.touch(by);
        // upstream: body.go Read. Before 00a897c it did not check `closed`.
        let looks = !matches!(engine.variant, Variant::ReadAfterClose | Variant::GetWithoutResetClosed);
        if self.reader.fields.with(|br| (br.closed && looks) || br.left == 0) {
            return Ok(Read::Eof);
        }
        let mut copied = Vec::new();
        while copied.len() < need {
            let (left, index, head) = self.reader.fields.with(|br| (br.left, br.index, br.buffers.first().cloned()));
            if left == 0 {
                break;
            }
            let Some(head) = head else {
                // `left` and the buffers disagree: since 00a897c upstream returns EOF here.
                self.reader.fields.with_mut(|br| br.left = 0);
                break;
            };
            let octets = head.read(index, need - copied.len(), by);
            let used_up = index + octets.len() >= head.len();
            if used_up {
                self.free(engine, &head, by)?;
            }
            self.reader.fields.with_mut(|br| {
                if used_up && !br.buffers.is_empty() {
                    br.buffers.remove(0);
                }
                br.index = if used_up { 0 } else { index + octets.len() };
                br.left = left.saturating_sub(octets.len());
            });
            copied.extend(octets);
        }
        tell(engine, format_args!("{by}: reader#{} Read gives {}", self.reader.number, copied.len()));
        Ok(if copied.is_empty() { Read::Eof } else { Read::Data(copied) })
    }

    /// `Close`.
    ///
    /// # Errors
    ///
    /// [`GoPanic::NilEngine`] if the reader has no engine.
    #[track_caller]
    pub fn close(&self, engine: &Engine, by: Owner) -> Result<(), GoPanic> {
        self.loan.touch(by);
        let has_field = engine.plan.close_style == CloseStyle::ClosedField;
        let closed = self.reader.fields.with_mut(|br| std::mem::replace(&mut br.closed, has_field));
        if closed {
            sometimes("a body is closed a second time", true);
            return Ok(());
        }
        let buffers = self.reader.fields.with(|br| br.buffers.clone());
        for buffer in &buffers {
            self.free(engine, buffer, by)?;
        }
        // upstream: body.go Close. Before 00a897c it did not remove the freed buffers.
        if engine.variant != Variant::ReadAfterClose {
            self.reader.fields.with_mut(|br| {
                br.buffers.clear();
                (br.index, br.left) = (0, 0);
            });
        }
        // upstream: body.go Close, v1.5.4 to v1.5.11. The Put zeroes `closed`, so the next Close frees and puts again.
        if engine.variant == Variant::ClosePuts {
            self.put(engine, by);
        }
        Ok(())
    }

    /// Zeroes the struct and puts it into its pool: `*br = emptyBodyReader`, `bodyReaderPool.Put(br)`.
    #[track_caller]
    pub fn put(&self, engine: &Engine, by: Owner) {
        self.reader.fields.with_mut(|br| *br = BodyFields::default());
        self.loan.end(by);
        tell(engine, format_args!("{by}: Put(reader#{})", self.reader.number));
        engine.body_reader_pool.put(Arc::clone(&self.reader));
    }

    /// `TakeOver` (v1.2.18): gives the buffers to the caller, which must free each once.
    #[track_caller]
    pub fn take_over(&self, by: Owner) -> Vec<Buffer> {
        self.loan.touch(by);
        self.reader.fields.with_mut(|br| {
            (br.index, br.left) = (0, 0);
            std::mem::take(&mut br.buffers)
        })
    }

    /// The reader does not return to its pool; the garbage collector frees it.
    pub(super) fn left_to_gc(&self, reason: &'static str) {
        self.loan.left_to_gc(reason);
    }

    /// `br.engine.BodyAllocator.Free(b)`.
    #[track_caller]
    fn free(&self, engine: &Engine, buffer: &Buffer, by: Owner) -> Result<(), GoPanic> {
        if !self.reader.fields.with(|br| br.engine) {
            sometimes("a body reader is zeroed while another reads it", true);
            return Err(GoPanic::NilEngine);
        }
        engine.body_allocator.free(buffer, by);
        Ok(())
    }
}

/// Adds a row to the run's table, unless the ledger follows readers and so adds its own.
#[track_caller]
fn tell(engine: &Engine, text: fmt::Arguments<'_>) {
    if !engine.plan.audit.objects() {
        lastref::trace::note(text);
    }
}
