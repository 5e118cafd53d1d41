//! Experiments: what is done to a model, and what must come of it.
//!
//! A scenario is one file of at most 60 lines in the folder of its component. It says as data what each variant of the
//! model must do (stay clean, or violate one named property), how its plan is generated, and how a plan is run. This
//! crate turns that into [`sim::explore::Case`]s and judges what exploring them gave; the binary `lastref` and the suite
//! are two readers of the same list.
//!
//! To add a scenario: write the file, add its name to the list below. The list is sorted (the compiler checks it), and a
//! test compares it with the folders both ways.
//!
//! Absent by intent: knowledge of any engine's inner life, and any code that runs during an execution other than the
//! scenarios' own `run` functions.

pub mod defaults;
pub mod finding;
pub mod prelude;

mod expect;
mod list;
mod nearest;
mod scenario;
mod seed;

pub use expect::{Expect, Expectation};
pub use list::{case, find};
pub use nearest::{Unknown, nearest};
pub use scenario::Scenario;
pub use seed::{BadSeed, parse_seed};

list::scenarios! {
    buffer_pool: [
        answer_of_another,
        append_outgrows_buffer,
        body_closed_elsewhere,
        body_closed_twice,
        body_closed_twice_v1_2_18,
        body_retained_or_taken,
        chunks_share_a_buffer,
        collection_between_steps,
        descriptor_reused_while_reading,
        engine_teardown,
        handler_panics,
        late_close_of_body,
        late_close_of_pooled_reader,
        limits_and_deadlines,
        read_of_closed_body,
        request_after_close,
        reset_in_every_state,
        slow_reader,
        stale_event_of_old_conn,
        stop_while_accepting,
    ],
    context_pool: [
        abort_after_completion,
        abort_before_schedule,
        cancel_races_ctx_close,
        close_races_reply,
        closed_send_returns_message,
        context_crowd,
        context_pool_reuse,
        context_teardown,
        ctx_close_before_finish,
        ctx_close_races_socket_close,
        ctx_open_races_socket_close,
        failed_send_is_freed,
        free_after_send,
        kept_context_survives_reset,
        late_cancel_of_old_recv,
        malformed_reply,
        one_variable_reused,
        pipe_closed_while_starting,
        pipe_reset_with_requests,
        recv_after_pipe_closed,
        recv_cancelled_before_sent,
        recv_timeout_races_reply,
        reply_to_vanished_pipe,
        resend_duplicate_reply,
        send_cancelled_while_receiving,
        slow_peer,
        stale_reply,
        stop_during_expiry,
    ],
    image: [
        callback_during_poll,
        client_closed_by_force,
        close_during_poll,
        close_with_live_handles,
        counter_reuse_races_poll,
        image_teardown,
        lookup_inside_handler,
        lookup_leaks_image,
        lookup_races_removal,
        never_polling_subscriber,
        release_after_unavailable,
        several_handles_one_image,
        several_images_linger,
        shm_exhaustion,
        slow_consumer,
        throw_in_image_ctor,
        unavailable_callback,
    ],
    subchannel: [
        address_fails_before_all_seen,
        backoff_reset_races_retry,
        broken_before_settings,
        channel_destroyed_while_connecting,
        goaway_during_write,
        goaway_when_idle,
        goaway_with_streams_open,
        key_is_taken_over,
        no_socket_without_channel,
        picker_dropped_by_call,
        resolver_update_while_connecting,
        round_robin_keeps_connecting,
        socket_closed_during_write,
        socket_closed_when_idle,
        socket_closed_with_calls,
        subchannel_teardown,
        too_many_pings,
        two_subchannels_of_one_key,
        unselected_connecting_dropped,
        unselected_is_let_go,
    ],
    uring_proxy: [
        both_descriptors_close,
        both_peers_end,
        bundles_both_ways,
        completion_queue_full,
        connect_refused,
        flush_below_half_a_pool,
        full_pool_of_1024,
        incremental_buffers,
        incremental_tail,
        nothing_to_cancel,
        one_send_for_many,
        one_way_stream,
        options_at_random,
        peer_resets,
        pool_exhausted,
        proxy_teardown,
        reply_finds_no_buffer,
        send_rings_both_ways,
        short_send,
        single_shot_both_ways,
        zero_copy_notification,
    ],
}
