//! HTTP/2 as the clients' models use it: whole requests and responses, each with the tag of its request.

mod codec;
mod frame;

pub use frame::Goaway;

pub(crate) use codec::{Decoder, encode};
pub(crate) use frame::{ClientFrame, ServerFrame};
