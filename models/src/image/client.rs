//! The state that a client's threads share: the conductor's command ring, the driver's buffers, and the closed flag.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::sometimes;
use lastref::sync::Mutex;
use lastref::sync::atomic::{AtomicBool, Ordering};

use super::aeron_image::ImageKey;
use super::counters::Position;
use super::patience::Progress;
use super::shm::RawLog;
use super::subscription::Subscription;

/// The driver's messages to the client: `to_client_buffer`.
#[derive(Clone, Debug)]
pub(super) enum Response {
    /// `AERON_RESPONSE_ON_AVAILABLE_IMAGE`.
    AvailableImage { key: ImageKey, session_id: i32, log: Arc<RawLog>, position: Arc<Position> },
    /// `AERON_RESPONSE_ON_UNAVAILABLE_IMAGE`.
    UnavailableImage { key: ImageKey },
}

/// The shared part of `aeron_client_conductor_t`.
#[derive(Debug)]
pub struct Client {
    command_capacity: usize,
    command_rb: Mutex<VecDeque<Arc<Subscription>>>,
    to_clients: Mutex<VecDeque<Response>>,
    /// Subscriptions that the client has removed: `AERON_COMMAND_REMOVE_SUBSCRIPTION`.
    to_driver: Mutex<VecDeque<i64>>,
    pub(super) is_closed: AtomicBool,
    /// True if the conductor's next timeout check must report this timeout. Upstream measures time.
    pub(super) service_interval_exceeded: AtomicBool,
    pub(super) driver_is_dead: AtomicBool,
    pub(super) progress: Progress,
    /// True if the agent's runner must end.
    pub(super) stop: AtomicBool,
}

impl Client {
    /// A client that is connected to its driver; `command_capacity` is the room of its command buffer.
    pub fn new(command_capacity: u32) -> Arc<Client> {
        Arc::new(Client {
            command_capacity: command_capacity as usize,
            command_rb: Mutex::named("command_rb", VecDeque::new()),
            to_clients: Mutex::named("to_clients", VecDeque::new()),
            to_driver: Mutex::named("to_driver", VecDeque::new()),
            is_closed: AtomicBool::named("aeron_client_conductor_t.is_closed", false),
            service_interval_exceeded: AtomicBool::named("service_interval_exceeded", false),
            driver_is_dead: AtomicBool::named("driver_is_dead", false),
            progress: Progress::default(),
            stop: AtomicBool::named("agent.stop", false),
        })
    }

    /// `~Subscription`, with `aeron_subscription_close`: requests the deletion of the subscription from the conductor.
    /// The caller must not use it afterwards.
    pub fn close_subscription(&self, by: Owner, subscription: &Arc<Subscription>) {
        if subscription.is_closed(by) {
            sometimes("a subscription is destroyed after it was closed by force", true);
            return;
        }
        subscription.is_closed.store(true, Ordering::Release);
        let mut command_rb = self.command_rb.lock();
        if command_rb.len() < self.command_capacity {
            command_rb.push_back(Arc::clone(subscription));
        } else {
            drop(command_rb);
            subscription.pending_close_action.store(true, Ordering::Release);
        }
    }

    /// `aeron_client_conductor_is_closed`.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(super) fn next_command(&self) -> Option<Arc<Subscription>> {
        self.command_rb.lock().pop_front()
    }

    pub(super) fn send(&self, response: Response) {
        self.to_clients.lock().push_back(response);
    }

    pub(super) fn next_response(&self) -> Option<Response> {
        self.to_clients.lock().pop_front()
    }

    pub(super) fn remove_subscription(&self, registration_id: i64) {
        self.to_driver.lock().push_back(registration_id);
    }

    pub(super) fn next_removed_subscription(&self) -> Option<i64> {
        self.to_driver.lock().pop_front()
    }
}
