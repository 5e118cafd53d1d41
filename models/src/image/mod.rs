//! Aeron's images in its C client, and the C++ wrapper's references to them.
//!
//! # Upstream
//!
//! aeron 63c11a69 (2026-08): `aeron-client/src/main/c/aeron_{image,subscription,client_conductor,log_buffer}.{c,h}`,
//! `aeron-client/src/main/cpp_wrapper/{Image,Subscription,Aeron}.h`; for counters and their reuse
//! `aeron-driver/src/main/c/aeron_driver_context.c` (the timeout) and `aeron_counters_manager`. The fixed variant is
//! that version with the repairs marked `Deviates:`. Each repairs a bug that was found by reading the source and is not
//! reported:
//!
//! | where | what upstream does | variant |
//! | --- | --- | --- |
//! | `image_retain` | does nothing for an unlisted image; the later release decrements | `retain_requires_membership` |
//! | `give_back` | does nothing for an unlisted image | `lookup_release_requires_membership` |
//! | `linger_or_delete_all_images` | drops an image's base reference twice | `close_drops_base_twice` |
//! | `linger_or_delete_all_images` | neither closes nor announces the image | `close_skips_held_images` |
//! | `linger_or_delete_all_images` | counts handles before the last handler | `close_counts_before_handler` |
//! | `propose_...` | a lookup inside a handler proposes | `propose_in_handler` |
//! | `propose_...` | a lookup on the conductor's thread proposes | `prune_while_lingering` |
//! | `counters` | reuses a counter after a second, unconditionally | `reuse_ignores_stalls` |
//!
//! The bugs of `linger_or_delete_all_images` affect images with handles, when their subscription is closed; those of
//! `propose_...` affect every lookup.
//!
//! # What is modelled
//!
//! | upstream | here | lifetime |
//! | --- | --- | --- |
//! | `aeron_image_t` | `aeron_image`, `image_poll`, `image_state` | the table in `image_state` |
//! | `aeron_image_list_t` | `image_list` | numbered, linked, published; pruned or freed with its subscription |
//! | `aeron_subscription_t` | `subscription`, `subscription_lists` | open, closed, deleted by the conductor |
//! | `aeron_log_buffer_t` | `log_buffer` | mapped for the first image, unmapped with the last |
//! | raw log files | `shm` | linked, mapped; the space is freed when they are neither |
//! | `subscriber_position` | `counters` | allocated, freed and reused by the driver |
//! | `aeron_client_conductor_t` | `conductor`, `linger`, `closing` | runs, is closed by force, is closed |
//! | command ring, driver's buffers | `client` | |
//! | `aeron::Image`, `aeron::Subscription` | `wrapper` | one reference each, from constructor to destructor |
//! | the media driver | `driver` | streams begin, write, end; on the network, as the frames of `network` require |
//! | the application | `application` | polls, looks up, keeps, hands over, drops, closes |
//!
//! Each C allocation is one resource of the ledger, and each C access through a pointer that could dangle is a `touch`.
//! The references of an image are counted twice: `refcnt` is upstream's count, an atomic with upstream's orderings;
//! `aeron_image_refcnt` in the ledger names the holder of each.
//!
//! ```text
//! conductor                                   subscriber
//! list n+1 ─► image_lists_head (release) ───► (acquire) read list n+1, its images
//! prune lists < n+1,                     ◄─── last_image_list_change_number = n+1 (release)
//! drop base refs of images removed in ≤ n+1
//! close: final_position, is_closed (release)► (acquire) poll stops; position is final
//! refcnt 0 (acquire) ─► unmap, free      ◄─── refcnt -1 (a full barrier)
//! ```
//!
//! Conductor and subscriber share no lock. Orderings are those of the C macros: `AERON_GET_ACQUIRE`,
//! `AERON_SET_RELEASE`, and `AERON_GET_AND_ADD_INT64`, which is a full barrier. A plain read in C of a field that only
//! the reading thread writes is relaxed here if other threads read the field, and a `RaceCell` otherwise.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - time: the lingering check needs none; a plan says when the service interval is exceeded or the driver is dead, and
//!   every duty cycle checks both;
//! - publications, which also hold references to log buffers; counters and destinations of the application;
//!   asynchronous registration: subscriptions exist from the start. So races of `AsyncAdd*` (#1948, 91d9563e, 07f1c3e3,
//!   7d3aa3b9) cannot occur;
//! - more than one term, padding frames, fragmentation; block, bounded and peek polls: bugs of term rotation;
//! - `aeron_image_reject`, which reads the image's pointer to its subscription, null once the image is detached;
//! - memory exhaustion in the client, other than the wrapper's exception; a broadcast buffer that overruns its reader;
//! - a handle that outlives `aeron_close`: it dangles in upstream too, and the application of the model has none.

pub mod aeron_image;
mod application;
pub mod client;
mod closing;
pub mod conductor;
mod counters;
pub mod driver;
pub mod errno;
mod image_list;
pub mod image_poll;
pub mod image_state;
mod linger;
pub mod log_buffer;
mod network;
mod patience;
pub mod plan;
pub mod shm;
pub mod subscription;
mod subscription_lists;
mod variant;
pub mod wrapper;

pub use application::{run, run_on_network};
pub use image_poll::{Action, Poll};
pub use plan::{
    After, Ask, Callback, Closer, Conductor, DriverOp, Ending, Handler, Life, NetPlan, Op, Plan, Publisher, Subscriber,
};
pub use variant::Variant;
