//! `nng_msg`: a header, a body and a reference count.
//!
//! Upstream (v1.10.1, message.c): `nni_msg_clone` adds a reference, `nni_msg_free` takes one away and frees the chunks
//! at zero. The count is atomic. C does not record who holds a reference; the ledger does, and so reports a caller that
//! frees without holding one:
//!
//! ```text
//! caller ──set_msg──► aio ──req0_ctx_send──► ctx ──(clone)──► pipe's aio_send ──written──► freed
//!                      ▲                      │
//!                      └─ cancel, close, ... ─┘     (only while no pipe has it)
//! ```
//!
//! A message consists of words of four bytes, as the protocols read it: a request id, a backtrace, and then the
//! caller's tag, which the peer returns unchanged.
//!
//! Left out: `m_pipe`, the pipe by which a message came (a reply may be made of any message, so `m_pipe` does not
//! determine the reply's destination); growing, trimming and appending beyond whole words; `nni_msg_unique` and
//! `nni_msg_pull_up`, which copy a message that is shared (the transport modelled here copies bytes, not pointers, see
//! `transport`).

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Counted, Owner, Tag};

use crate::kit::harness::impl_debug;

/// A `nng_msg *`. Copying it copies the pointer: it adds no reference and may dangle.
#[derive(Clone)]
pub struct Message(Arc<NngMsg>);

struct NngMsg {
    m_refcnt: Counted,
    chunks: RaceCell<Chunks>,
}

#[derive(Debug, Default)]
struct Chunks {
    m_header: Vec<u32>,
    m_body: Vec<u32>,
}

impl Message {
    /// `nni_msg_alloc`: a message with one reference, which `holder` has.
    #[track_caller]
    pub fn alloc(holder: Owner, body: Vec<u32>) -> Message {
        let chunks = Chunks { m_header: Vec::new(), m_body: body };
        Message(Arc::new(NngMsg {
            m_refcnt: Counted::acquire("nng_msg", holder),
            chunks: RaceCell::named("nng_msg", chunks),
        }))
    }

    /// A message whose body is the tag.
    #[track_caller]
    pub fn tagged(holder: Owner, tag: Tag) -> Message {
        Message::alloc(holder, words(tag))
    }

    /// `nni_msg_clone`: adds a reference for `holder`.
    #[track_caller]
    pub(super) fn clone_for(&self, holder: Owner) -> Message {
        self.0.m_refcnt.retain(holder);
        self.clone()
    }

    /// `nni_msg_free`: releases the reference of `holder`. C cannot check that `holder` has one.
    #[track_caller]
    pub fn free(&self, holder: Owner) {
        self.0.m_refcnt.release(holder);
    }

    /// Passes the pointer, with its reference, from one holder to another.
    #[track_caller]
    pub(super) fn pass(&self, from: Owner, to: Owner) {
        self.0.m_refcnt.pass(from, to);
    }

    /// `nni_msg_header_clear`.
    #[track_caller]
    pub(super) fn header_clear(&self, by: Owner) {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with_mut(|chunks| chunks.m_header.clear());
    }

    /// `nni_msg_header_append`.
    #[track_caller]
    pub(super) fn header_append(&self, by: Owner, header: &[u32]) {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with_mut(|chunks| chunks.m_header.extend_from_slice(header));
    }

    /// `nni_msg_header`.
    #[track_caller]
    pub(super) fn header(&self, by: Owner) -> Vec<u32> {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with(|chunks| chunks.m_header.clone())
    }

    /// Fills the body, which was allocated before, with the words that the transport has read.
    #[track_caller]
    pub(super) fn fill(&self, by: Owner, words: Vec<u32>) {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with_mut(|chunks| chunks.m_body = words);
    }

    /// `nni_msg_trim_u32`: removes the first word of the body and returns it; `None` if the body is empty.
    #[track_caller]
    pub(super) fn trim_u32(&self, by: Owner) -> Option<u32> {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with_mut(|chunks| (!chunks.m_body.is_empty()).then(|| chunks.m_body.remove(0)))
    }

    /// Header and body as they go on the wire.
    #[track_caller]
    pub(super) fn wire(&self, by: Owner) -> Vec<u32> {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with(|chunks| chunks.m_header.iter().chain(&chunks.m_body).copied().collect())
    }

    /// The tag in the body; `None` if the body is not a tag.
    #[track_caller]
    pub fn tag(&self, by: Owner) -> Option<Tag> {
        self.0.m_refcnt.touch(by);
        self.0.chunks.with(|chunks| match chunks.m_body[..] {
            [peer, high, low] => Some(Tag { peer, request: u64::from(high) << 32 | u64::from(low) }),
            _ => None,
        })
    }
}

impl_debug!(Message {});

/// A tag as the words of a body.
pub(super) fn words(tag: Tag) -> Vec<u32> {
    // The casts truncate on purpose: `Message::tag` joins the halves again.
    vec![tag.peer, (tag.request >> 32) as u32, tag.request as u32]
}
