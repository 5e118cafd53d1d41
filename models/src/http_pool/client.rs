//! The client: the path of a request from the pool to its answer.
//!
//! Upstream (hyper-util, client/legacy/client.rs): `send_request`, `try_send_request`, `connection_for`,
//! `one_connection_for`. A request races a checkout against its own connect. If a reused connection returns the request
//! unsent, it is tried again; a request that was sent is not, since the server may have processed it.

use std::sync::Arc;

use lastref::ledger::{Tag, deliver};
use lastref::property::{always, sometimes};
use lastref::time::Instant;

use super::conn::{Conn, Handle, Ver};
use super::mailbox::{ConnectEnd, Failure, Mailbox, RequestEvent};
use super::network::Net;
use super::pool::{Key, Pool};
use super::variant::Variant;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With its answer.
    Answered,
    /// No connection could be made.
    ConnectFailed,
    /// The connection ended before the request was sent, and is not tried again.
    Canceled,
    /// The connection ended before the answer: `IncompleteMessage`.
    Incomplete,
    /// The connect that it waited for ended without a connection.
    NotWanted,
    /// Its caller dropped it.
    Dropped,
}

/// The client.
pub(super) struct Client {
    pub(super) variant: Variant,
    pub(super) ver: Ver,
    pub(super) pool: Arc<Pool>,
    pub(super) net: Arc<Net>,
}

/// A connection for a request.
struct Pooled {
    handle: Handle,
    is_reused: bool,
}

/// The result of a failed attempt to get or to use a connection.
enum Ended {
    /// The request must be tried again from the start.
    Again,
    With(Outcome),
}

impl Client {
    /// `Client::send_request`: returns when the request has ended.
    pub(super) fn send_request(&self, key: Key, tag: Tag, to: &Arc<Mailbox>, deadline: Option<Instant>) -> Outcome {
        loop {
            let tried = self.connection_for(key, to, deadline);
            match tried.and_then(|pooled| self.exchange(key, pooled, tag, to, deadline)) {
                Ok(()) => return Outcome::Answered,
                Err(Ended::Again) => sometimes("a request is tried again", true),
                Err(Ended::With(outcome)) => return outcome,
            }
        }
    }

    /// `one_connection_for`.
    fn connection_for(&self, key: Key, to: &Arc<Mailbox>, deadline: Option<Instant>) -> Result<Pooled, Ended> {
        if let Some(handle) = self.pool.checkout(key, to) {
            sometimes("a request reuses a connection", true);
            return Ok(Pooled { handle, is_reused: true });
        }
        let connecting = self.pool.connecting(key, self.ver);
        sometimes("a request waits for another's connect", connecting.is_none());
        let own: Option<Arc<Conn>> = connecting.map(|connecting| self.net.connect(self.variant, connecting, to));
        // Deviates: upstream drops its own connect after `CheckoutNoLongerWanted`.
        let news = loop {
            match to.wait(deadline) {
                Some(RequestEvent::NotWanted(_)) if own.is_some() => {}
                // upstream: after `CheckedOutClosedValue` it waits for its own connect.
                Some(RequestEvent::Handed(handle)) if own.is_some() && !handle.is_open() => {
                    sometimes("a connection is closed on its way to a waiter", true);
                    handle.release();
                }
                news => break news,
            }
        };
        match news {
            Some(RequestEvent::Handed(handle)) => {
                if let Some(own) = own {
                    own.continue_in_background(to);
                }
                if handle.is_open() {
                    return Ok(Pooled { handle, is_reused: true });
                }
                // `CheckedOutClosedValue`
                sometimes("a connection is closed on its way to a waiter", true);
                handle.release();
                Err(Ended::Again)
            }
            Some(RequestEvent::Connected(connecting, handle)) => {
                let handle = self.pool.pooled(connecting, handle, to.owner);
                self.pool.drop_checkout(key, to);
                Ok(Pooled { handle, is_reused: false })
            }
            Some(RequestEvent::NotWanted(why)) => {
                let ended = self.not_wanted(why);
                let is_tried_again = why != ConnectEnd::Cancelled || matches!(ended, Ended::Again);
                always("a request does not fail because another one is cancelled", is_tried_again);
                Err(ended)
            }
            Some(RequestEvent::ConnectFailed) => {
                self.pool.drop_checkout(key, to);
                Err(Ended::With(Outcome::ConnectFailed))
            }
            Some(RequestEvent::Answer(_) | RequestEvent::Failed(_)) => {
                lastref::bug!("a request without a connection is answered")
            }
            None => {
                if let Some(own) = own {
                    sometimes("a request is cancelled while it connects", true);
                    own.abandon();
                }
                self.pool.drop_checkout(key, to);
                Err(Ended::With(Outcome::Dropped))
            }
        }
    }

    /// Handles the end of a connect for which the request waited, when the pool has no connection for it.
    fn not_wanted(&self, why: ConnectEnd) -> Ended {
        // Deviates: upstream fails the request, whatever the reason. Go tries again after the cancel of another
        // request, in `shouldRetryDial`.
        if why == ConnectEnd::Failed {
            return Ended::With(Outcome::NotWanted);
        }
        sometimes("a request waits for a connect that is cancelled", why == ConnectEnd::Cancelled);
        if self.variant == Variant::WaitersLostWithConnect {
            return Ended::With(Outcome::NotWanted);
        }
        Ended::Again
    }

    /// `try_send_request`, and the wait for the answer.
    fn exchange(
        &self,
        key: Key,
        Pooled { handle, is_reused }: Pooled,
        tag: Tag,
        to: &Arc<Mailbox>,
        deadline: Option<Instant>,
    ) -> Result<(), Ended> {
        let news = match handle.conn.try_send(tag, to) {
            Ok(()) => to.wait(deadline),
            Err(failure) => Some(RequestEvent::Failed(failure)),
        };
        let ended = match news {
            Some(RequestEvent::Answer(payload)) => {
                deliver(payload, tag);
                Ok(())
            }
            Some(RequestEvent::Failed(failure)) => {
                let ended = self.failed(failure, is_reused);
                let is_tried_again = failure != Failure::Unsent || !is_reused || matches!(ended, Ended::Again);
                always("a request that was not sent over a pooled connection is tried again", is_tried_again);
                Err(ended)
            }
            Some(_) => lastref::bug!("a request with a connection gets another one"),
            None => {
                handle.conn.cancel(tag);
                // The answer may have come at the same time.
                drop(to.take_rest());
                Err(Ended::With(Outcome::Dropped))
            }
        };
        self.pool.drop_pooled(key, handle);
        ended
    }

    fn failed(&self, failure: Failure, is_reused: bool) -> Ended {
        match failure {
            Failure::Unsent if is_reused => {
                sometimes("a request finds its pooled connection closed before it is sent", true);
                // upstream: `retry_canceled_requests`
                if self.variant == Variant::UnsentNotRetried {
                    return Ended::With(Outcome::Canceled);
                }
                Ended::Again
            }
            // Deviates: hyper fails it; Go retries a stream above the last stream of a GOAWAY.
            Failure::Unsent if self.ver == Ver::Http2 => Ended::Again,
            Failure::Unsent => Ended::With(Outcome::Canceled),
            Failure::Incomplete if self.variant == Variant::SentIsRetried => Ended::Again,
            Failure::Incomplete => Ended::With(Outcome::Incomplete),
        }
    }
}
