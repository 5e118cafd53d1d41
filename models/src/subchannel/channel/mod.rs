//! A channel: from its application's calls and its policies down to the wrappers of its subchannels.

pub mod call;
pub mod client_channel;
pub(crate) mod pick_first;
pub(crate) mod picker;
pub mod policy;
pub(crate) mod round_robin;
pub(crate) mod subchannel_list;
pub(crate) mod subchannel_wrapper;
pub(crate) mod watcher_wrapper;
