//! The mailbox of a request. It waits for a connection from the pool, its own connection, or the answer, whichever
//! comes first.
//!
//! Upstream, each of these is a oneshot channel, and `Client::one_connection_for` selects over two futures. Here a
//! request runs on one thread, so its channels share one lock and one condition variable. The order is upstream's: the
//! sender checks whether the receiver is gone, and the send itself fails if the receiver leaves after that check.

use std::collections::VecDeque;

use lastref::ledger::{Owner, Tag};
use lastref::sync::{Condvar, Mutex};
use lastref::time::Instant;

use super::conn::Handle;
use super::pool::Connecting;
use crate::kit::harness::wait_until;

/// A message to a request.
#[derive(Debug)]
pub(super) enum RequestEvent {
    /// The pool has an idle connection.
    Handed(Handle),
    /// The pool has no connection for the request: the connect for which it waited is over.
    NotWanted(ConnectEnd),
    /// The request's own connect has succeeded.
    Connected(Connecting, Handle),
    /// The request's own connect has failed.
    ConnectFailed,
    /// The answer, with the tag that the server gave it.
    Answer(Tag),
    /// There will be no answer.
    Failed(Failure),
}

/// The result of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectEnd {
    /// It has succeeded.
    Connected,
    /// It has failed.
    Failed,
    /// Its request was cancelled.
    Cancelled,
}

/// The progress of a request when its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was not sent, or its stream is above the last one of a GOAWAY: upstream returns the message.
    Unsent,
    /// It was sent, and the answer is missing: `IncompleteMessage`.
    Incomplete,
}

/// The mailbox of one request.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) owner: Owner,
    mu: Mutex<Mail>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Mail {
    news: VecDeque<RequestEvent>,
    /// The receiver of the pool's channel is alive.
    waits_for_pool: bool,
    is_cancelled: bool,
}

impl Mailbox {
    /// The mailbox of the request of that number.
    pub(super) fn new(number: u32) -> Mailbox {
        let owner = Owner::new("request", number);
        Mailbox { owner, mu: Mutex::named("request", Mail::default()), changed: Condvar::named("request") }
    }

    /// Lets the pool hand over a connection from now on.
    pub(super) fn wait_for_pool(&self) {
        self.mu.lock().waits_for_pool = true;
    }

    /// Drops the receiver of the pool's channel.
    pub(super) fn leave_pool(&self) {
        self.mu.lock().waits_for_pool = false;
    }

    /// `!Sender::is_canceled`.
    pub(super) fn is_waiting(&self) -> bool {
        let mail = self.mu.lock();
        mail.waits_for_pool && !mail.is_cancelled
    }

    /// `Sender::send` of the pool's channel: returns the value if it could not be sent.
    pub(super) fn send(&self, news: RequestEvent) -> Result<(), RequestEvent> {
        let mut mail = self.mu.lock();
        if !mail.waits_for_pool || mail.is_cancelled {
            return Err(news);
        }
        mail.waits_for_pool = false;
        mail.news.push_back(news);
        self.changed.notify_all();
        Ok(())
    }

    /// A message of the request's own connect or of its connection.
    pub(super) fn push(&self, news: RequestEvent) {
        self.mu.lock().news.push_back(news);
        self.changed.notify_all();
    }

    /// Cancels the request: the application drops its future.
    pub(super) fn cancel(&self) {
        self.mu.lock().is_cancelled = true;
        self.changed.notify_all();
    }

    /// Waits for a message; returns `None` if the request was cancelled, or at the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<RequestEvent> {
        let mut mail = self.mu.lock();
        loop {
            if mail.is_cancelled {
                return None;
            }
            if let Some(news) = mail.news.pop_front() {
                return Some(news);
            }
            mail = match wait_until(&self.changed, mail, deadline) {
                Ok(mail) => mail,
                Err(mut mail) => {
                    mail.is_cancelled = true;
                    return None;
                }
            };
        }
    }

    /// Takes the messages that are left.
    pub(super) fn take_rest(&self) -> VecDeque<RequestEvent> {
        std::mem::take(&mut self.mu.lock().news)
    }
}
