//! Models of networking components whose upstream had ownership bugs, one folder per component.
//!
//! A model is written like the state machine of its upstream: the same entities, locks, events and result codes, in
//! upstream's order. It has a fixed variant, which must stay clean on every schedule, and one variant for each defect,
//! which differs from the fixed one at the line that upstream had wrong.
//!
//! What is absent: a model knows neither engine, seed nor strategy, reads no clock, draws from nothing but
//! [`lastref::random`], and depends on `lastref` only. A model with code for one engine would be a model of that
//! engine.

pub mod buffer_pool;
pub mod context_pool;
pub mod http_pool;
pub mod image;
pub mod kit;
pub mod subchannel;
pub mod uring_proxy;
mod variant;

pub use variant::Variant;

/// The machines of the models, each with its table of states and events; their names are those of the files.
pub fn machines() -> Vec<(&'static str, String)> {
    use kit::machine::table;

    vec![
        ("buffer_pool.conn_state", table(buffer_pool::conn_state::next)),
        ("buffer_pool.parser_state", table(buffer_pool::parser_state::next)),
        ("context_pool.req_state", table(context_pool::req_state::next)),
        ("http_pool.state", table(http_pool::state::next)),
        ("image.image_state", table(image::image_state::next)),
        ("subchannel.state", table(subchannel::state::next)),
        ("subchannel.write_state", table(subchannel::transport::write_state::next)),
    ]
}
