//! A thread of the application with a subscription and its handles.

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::atomic::{AtomicBool, Ordering};
use lastref::sync::{Condvar, Mutex};
use lastref::time::{Duration, sleep};

use crate::image::client::Client;
use crate::image::errno::Errno;
use crate::image::image_poll::{Action, Fragment, Poll};
use crate::image::plan::{After, Ask, Handler, Op, Subscriber as SubscriberPlan};
use crate::image::wrapper::{Constructor, ImageHandle, SubscriptionWrapper};

/// The pause between two polls of a subscriber that only polls.
const IDLE: Duration = Duration::from_millis(20);

/// More fragments than a stream has.
const NO_LIMIT: u32 = 64;

/// The progress that the tasks of a run share.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The publishers are done.
    pub(crate) published: AtomicBool,
    /// The number of subscribers that have reached their first fragment, or their end.
    reading: Mutex<usize>,
    changed: Condvar,
}

impl Signals {
    pub(crate) fn new() -> Arc<Signals> {
        Arc::new(Signals {
            published: AtomicBool::named("published", false),
            reading: Mutex::named("reading", 0),
            changed: Condvar::named("reading"),
        })
    }

    /// Waits until this many subscribers are in the middle of a poll, or done.
    pub(crate) fn await_readers(&self, subscribers: usize) {
        drop(self.changed.wait_while(self.reading.lock(), |reading| *reading < subscribers));
    }

    fn arrived(&self) {
        *self.reading.lock() += 1;
        self.changed.notify_all();
    }
}

/// The state of a subscriber's thread.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) by: Owner,
    pub(crate) wrapper: SubscriptionWrapper,
    pub(crate) client: Arc<Client>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) plan: SubscriberPlan,
    /// The oldest first.
    pub(crate) handles: Vec<ImageHandle>,
    /// The wrapper's subscription is destroyed.
    pub(crate) closed: bool,
    /// True until the task that waits for this subscriber's first fragment is notified.
    pub(crate) awaited: bool,
}

impl Subscriber {
    /// The thread's function.
    pub(crate) fn run(&mut self) {
        let ops = std::mem::take(&mut self.plan.ops);
        for op in ops {
            self.perform(op);
        }
        if self.plan.after == After::Poll {
            while !self.signals.published.load(Ordering::Acquire) {
                self.perform(Op::Poll(NO_LIMIT));
                self.client.progress.idle_poll();
                sleep(IDLE);
            }
        }
        if std::mem::take(&mut self.awaited) {
            self.signals.arrived();
        }
    }

    /// One poll without a limit, whose handler ignores the fragments.
    pub(crate) fn move_on(&mut self) {
        if !self.closed {
            let subscription = self.wrapper.subscription();
            subscription.poll(self.by, Poll::Plain, &mut |_| Action::Continue, NO_LIMIT);
        }
    }

    /// Takes the handles that the plan gives it at the start.
    pub(crate) fn take_handles(&mut self) {
        for session in std::mem::take(&mut self.plan.handles) {
            self.perform(Op::Lookup(session));
        }
    }

    /// Drops all handles.
    pub(crate) fn drop_handles(&mut self) {
        for handle in self.handles.drain(..) {
            handle.release(self.by);
        }
    }

    /// Destroys the subscription.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.client.close_subscription(self.by, self.wrapper.subscription());
        }
    }

    fn perform(&mut self, op: Op) {
        let by = self.by;
        match op {
            Op::PollHandle(limit) => self.poll_handle(limit),
            Op::Position => self.position(),
            Op::Drop if !self.handles.is_empty() => self.handles.remove(0).release(by),
            Op::Shelve => self.handles.drain(..).for_each(|handle| self.wrapper.shelf.put(handle)),
            Op::Pause(ms) => sleep(Duration::from_millis(ms)),
            Op::Close => self.close(),
            _ if self.closed => {}
            Op::Poll(limit) => self.poll(limit),
            Op::Lookup(session) => {
                let found = self.wrapper.image_by_session_id(by, session, Constructor::Succeeds);
                self.keep(found);
            }
            Op::LookupThrowing(session) => {
                let found = self.wrapper.image_by_session_id(by, session, Constructor::Throws);
                self.keep(found);
            }
            Op::At(index) => {
                let found = self.wrapper.image_by_index(by, index);
                self.keep(found);
            }
            Op::Copy => {
                let mut copy = self.wrapper.copy_of_image_list(by);
                self.handles.append(&mut copy);
            }
            Op::ForEach => {
                for handle in self.wrapper.copy_of_image_list(by) {
                    handle.image().position(by);
                    handle.release(by);
                }
            }
            Op::Count => drop(self.wrapper.subscription().image_count(by)),
            Op::Connected => {
                sometimes("a subscription is connected", self.wrapper.subscription().is_connected(by));
            }
            Op::Drop => {}
        }
    }

    fn keep(&mut self, found: Result<Option<ImageHandle>, Errno>) {
        match found {
            Ok(Some(handle)) => {
                let constants = handle.constants();
                always("a listed image has its subscription", constants.subscription_registration_id.is_some());
                self.handles.push(handle);
            }
            Ok(None) => sometimes("a lookup finds no image", true),
            Err(_) => sometimes("a wrapper throws between a lookup and its own reference", true),
        }
    }

    fn poll(&mut self, limit: u32) {
        let signals = std::mem::take(&mut self.awaited).then(|| Arc::clone(&self.signals));
        let (by, handler, wrapper) = (self.by, self.plan.handler, &self.wrapper);
        let mut told = false;
        let mut on_fragment = |fragment: &Fragment<'_>| {
            if let (Some(signals), false) = (&signals, told) {
                told = true;
                signals.arrived();
            }
            handle_fragment(by, wrapper, handler, fragment)
        };
        wrapper.subscription().poll(by, handler.poll, &mut on_fragment, limit);
        self.awaited = signals.is_some() && !told;
    }

    fn poll_handle(&mut self, limit: u32) {
        let Some(handle) = self.handles.first() else { return };
        let (by, handler) = (self.by, Handler { ask: Ask::Nothing, ..self.plan.handler });
        let mut on_fragment = |fragment: &Fragment<'_>| handle_fragment(by, &self.wrapper, handler, fragment);
        handle.image().poll(by, handler.poll, &mut on_fragment, limit);
    }

    fn position(&mut self) {
        let Some(handle) = self.handles.first() else { return };
        let image = handle.image();
        if image.is_closed(self.by) {
            sometimes("a handle outlives its stream", true);
            let at_end = image.position(self.by) >= image.end_of_stream_position(self.by);
            always("a closed image is at its end if its position is", image.is_end_of_stream(self.by) == at_end);
        } else {
            image.position(self.by);
            image.is_end_of_stream(self.by);
        }
    }
}

/// The application's fragment handler.
fn handle_fragment(by: Owner, wrapper: &SubscriptionWrapper, handler: Handler, fragment: &Fragment<'_>) -> Action {
    if handler.pause_ms > 0 {
        sleep(Duration::from_millis(handler.pause_ms));
    }
    match handler.ask {
        Ask::Nothing => {}
        Ask::Count => drop(wrapper.subscription().image_count(by)),
        Ask::Lookup => {
            let found = wrapper.image_by_session_id(by, fragment.image.session_id, Constructor::Succeeds);
            if let Ok(Some(handle)) = found {
                handle.release(by);
            }
        }
    }
    handler.action
}
