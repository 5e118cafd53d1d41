//! `aeron_image_poll` and `aeron_image_controlled_poll`: the subscriber reads an image.
//!
//! The conductor may close the image between any two steps of a poll, above all during the handler. A poll therefore
//! checks `is_closed` before each fragment (35cda530) and before it stores its position (a5892881): it must not
//! continue to read a closed image, whose counter may already be reused.

use lastref::ledger::{self, Owner, Tag};
use lastref::property::{always, always_with, sometimes};
use serde::{Deserialize, Serialize};

use super::aeron_image::Image;
use super::shm::{FRAME_LENGTH, FRAMES_MAX};
use super::variant::Variant;

/// `aeron_controlled_fragment_handler_action_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Continues with the next fragment.
    Continue,
    /// Stores the position at once, and continues.
    Commit,
    /// Ends the poll after this fragment.
    Break,
    /// Ends the poll; this fragment counts as unread, and is delivered again.
    Abort,
}

/// The arguments of a handler.
#[derive(Debug)]
pub struct Fragment<'a> {
    /// `aeron_header_context`.
    pub image: &'a Image,
    /// The publisher's payload.
    pub payload: Tag,
}

/// The kind of poll, by its use of the handler's return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Poll {
    /// `aeron_image_poll`, which ignores the handler's return value.
    Plain,
    /// `aeron_image_controlled_poll`.
    Controlled,
}

/// `aeron_fragment_handler_t`.
pub type Handler<'a> = dyn FnMut(&Fragment<'_>) -> Action + 'a;

impl Image {
    /// Passes up to `fragment_limit` fragments to the handler; returns their number.
    pub fn poll(&self, by: Owner, poll: Poll, handler: &mut Handler<'_>, fragment_limit: u32) -> u32 {
        let Some(mut initial_position) = self.open_position(by) else { return 0 };
        let mut position = initial_position;
        let mut fragments_read = 0;
        let mut was_closed = false;
        while fragments_read < fragment_limit && position < FRAME_LENGTH * FRAMES_MAX {
            // upstream: 35cda530. Before that, a poll checked only at its start.
            if self.variant != Variant::PollIgnoresClose && self.is_closed(by) {
                sometimes("an image is closed under a poll", true);
                break;
            }
            let Some(payload) = self.log_buffer.read(by, position) else { break };
            always("a poll stops when it sees that its image is closed", !was_closed);
            self.deliver(payload, position);
            fragments_read += 1;
            let action = handler(&Fragment { image: self, payload });
            // For the check above: if the image is closed here, the next iteration must see that.
            was_closed = self.is_closed(by);
            if poll == Poll::Controlled && action == Action::Abort {
                self.delivered.set(position);
                fragments_read -= 1;
                break;
            }
            position += FRAME_LENGTH;
            match (poll, action) {
                (Poll::Controlled, Action::Break) => break,
                (Poll::Controlled, Action::Commit) => {
                    initial_position = position;
                    self.store_position(by, position);
                }
                _ => {}
            }
        }
        if position > initial_position {
            self.store_position(by, position);
        }
        fragments_read
    }

    /// The position to read from, if the image is not closed.
    fn open_position(&self, by: Owner) -> Option<i64> {
        let _access = self.subscriber_position.access();
        if self.is_closed(by) {
            return None;
        }
        Some(self.subscriber_position.get(by))
    }

    /// Stores the position that the poll has reached.
    fn store_position(&self, by: Owner, position: i64) {
        if self.variant == Variant::PositionStoreAfterClose {
            self.subscriber_position.set_release(by, position);
            return;
        }
        let _access = self.subscriber_position.access();
        if self.is_closed(by) {
            sometimes("a poll does not store the position of a closed image", true);
            return;
        }
        self.subscriber_position.set_release(by, position);
    }

    /// Checks that a fragment is the next one of this stream.
    fn deliver(&self, payload: Tag, position: i64) {
        let expected = fragment(self.key.correlation_id, position);
        ledger::deliver(payload, expected);
        let delivered = self.delivered.get();
        always_with("fragments of an image are delivered in order and once", delivered == position, || {
            vec![("delivered up to", delivered.to_string()), ("position", position.to_string())]
        });
        self.delivered.set(position + FRAME_LENGTH);
    }
}

/// The fragment that the publisher of a stream writes at `position`.
pub(super) fn fragment(correlation_id: i64, position: i64) -> Tag {
    let peer = u32::try_from(correlation_id).unwrap_or(u32::MAX);
    Tag { peer, request: u64::try_from(position / FRAME_LENGTH).unwrap_or(u64::MAX) }
}
