//! `aeron_client_conductor_t`: the only thread that creates and frees images.
//!
//! A duty cycle reads one command of the application and one message of the driver, and checks timeouts and lingering
//! images (`linger`). The end of the client is in `closing`.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::time::{Duration, sleep};

use super::aeron_image::{Image, ImageKey};
use super::client::{Client, Response};
use super::counters::Position;
use super::errno::Errno;
use super::log_buffer::LogBuffers;
use super::plan::{Callback, Conductor as Mode};
use super::shm::{RawLog, Shm};
use super::subscription::Subscription;
use super::variant::Variant;
use super::wrapper::{SharedHandles, SubscriptionWrapper};

/// The conductor, as the owner of its allocations and the holder of base references.
pub const CONDUCTOR: Owner = Owner::new("conductor", 0);

/// `AERON_CONTEXT_IDLE_SLEEP_DURATION_NS_DEFAULT`: how long the agent sleeps between two duty cycles.
const IDLE_SLEEP: Duration = Duration::from_millis(16);

/// The bound of [`Conductor::run_until_idle`] in duty cycles; no plan needs that many.
const CYCLES_MAX: u32 = 256;

/// `aeron_client_conductor_t`, owned by the thread that runs it.
#[derive(Debug)]
pub struct Conductor {
    pub(super) variant: Variant,
    pub(super) client: Arc<Client>,
    pub(super) shelf: Arc<SharedHandles>,
    /// The images of the newest lists, by stream and subscription.
    pub image_by_key_map: BTreeMap<ImageKey, Arc<Image>>,
    pub(super) log_buffers: LogBuffers,
    pub(super) resource_by_id_map: BTreeMap<i64, Arc<Subscription>>,
    pub(super) lingering_resources: Vec<Arc<Image>>,
    /// The client was closed by force.
    pub is_terminating: bool,
    images: u32,
}

impl Conductor {
    /// `aeron_client_conductor_init`.
    pub fn init(variant: Variant, client: &Arc<Client>, shelf: &Arc<SharedHandles>, shm: &Arc<Shm>) -> Conductor {
        Conductor {
            variant,
            client: Arc::clone(client),
            shelf: Arc::clone(shelf),
            image_by_key_map: BTreeMap::new(),
            log_buffers: LogBuffers::new(Arc::clone(shm)),
            resource_by_id_map: BTreeMap::new(),
            lingering_resources: Vec::new(),
            is_terminating: false,
            images: 0,
        }
    }

    /// `aeron_client_conductor_on_subscription_ready`: the driver has registered a requested subscription.
    pub fn on_subscription_ready(&mut self, registration_id: i64, callback: Callback) -> SubscriptionWrapper {
        let subscription = Subscription::create(self.variant, registration_id, callback);
        self.resource_by_id_map.insert(registration_id, Arc::clone(&subscription));
        self.wrap(&subscription)
    }

    /// The thread's function.
    pub fn run(&mut self, mode: Mode) {
        match mode {
            Mode::Agent => {
                while !self.client.stop.load(Ordering::Acquire) {
                    self.do_work();
                    sleep(IDLE_SLEEP);
                }
            }
            Mode::Cycles(cycles) => {
                for _ in 0..cycles {
                    self.do_work();
                }
            }
        }
    }

    /// Runs duty cycles until no work is left.
    pub fn run_until_idle(&mut self) {
        let mut idle = 0;
        for _ in 0..CYCLES_MAX {
            // Two idle cycles in a row: an image is detached and freed in one cycle, but a command may take effect only
            // in the next.
            idle = if self.do_work() == 0 { idle + 1 } else { 0 };
            if idle == 2 {
                return;
            }
        }
        always("the conductor becomes idle", false);
    }

    /// `aeron_client_conductor_do_work`: one duty cycle. Returns the amount of work done.
    pub fn do_work(&mut self) -> u32 {
        if self.is_terminating {
            return 0;
        }
        self.client.progress.cycle();
        let mut work_count = 0;
        if let Some(subscription) = self.client.next_command() {
            self.close_subscription(&subscription);
            work_count += 1;
        }
        if let Some(response) = self.client.next_response() {
            self.on_driver_response(response);
            work_count += 1;
        }
        work_count + self.on_check_timeouts()
    }

    fn on_driver_response(&mut self, response: Response) {
        match response {
            Response::AvailableImage { key, session_id, log, position } => {
                if self.on_available_image(key, session_id, &log, position) == Err(Errno::NoEnt) {
                    sometimes("a log is gone before the client maps it", true);
                }
            }
            Response::UnavailableImage { key } => self.on_unavailable_image(key),
        }
        self.check_maps();
    }

    /// `aeron_client_conductor_on_available_image`.
    fn on_available_image(
        &mut self,
        key: ImageKey,
        session_id: i32,
        log: &Arc<RawLog>,
        subscriber_position: Arc<Position>,
    ) -> Result<(), Errno> {
        let Some(subscription) = self.find_subscription_by_id(key) else { return Ok(()) };
        let number = self.images;
        let log_buffer = self.log_buffers.get_or_create(key.correlation_id, log, Owner::new("image", number))?;
        self.images += 1;
        let image = Image::create(self.variant, number, (key, session_id), log_buffer, subscriber_position);
        self.image_by_key_map.insert(key, Arc::clone(&image));
        subscription.add_image(&image);
        subscription.prune_image_lists();
        self.wrap(&subscription).on_available_image(&image);
        Ok(())
    }

    /// `aeron_client_conductor_on_unavailable_image`.
    fn on_unavailable_image(&mut self, key: ImageKey) {
        let Some(subscription) = self.find_subscription_by_id(key) else { return };
        let Some(image) = self.image_by_key_map.remove(&key) else { return };
        subscription.remove_image(&image);
        subscription.prune_image_lists();
        self.wrap(&subscription).on_unavailable_image(&image);
        self.linger_image(&image);
        image.subscriber_position.handled();
    }

    /// `aeron_client_conductor_on_check_timeouts`. Deviates: upstream compares clocks; here the plan decides that a
    /// timeout is exceeded, and every duty cycle checks.
    fn on_check_timeouts(&mut self) -> u32 {
        if self.client.service_interval_exceeded.load(Ordering::Acquire)
            || self.client.driver_is_dead.load(Ordering::Acquire)
        {
            self.is_terminating = true;
            self.force_close_resources();
            return 0;
        }
        self.check_lingering_resources() + self.check_resources_pending_close_action()
    }

    /// `aeron_client_conductor_find_subscription_by_id`.
    fn find_subscription_by_id(&self, key: ImageKey) -> Option<Arc<Subscription>> {
        self.resource_by_id_map.get(&key.subscription_registration_id).map(Arc::clone)
    }

    pub(super) fn wrap(&self, subscription: &Arc<Subscription>) -> SubscriptionWrapper {
        SubscriptionWrapper { subscription: Arc::clone(subscription), shelf: Arc::clone(&self.shelf) }
    }

    /// Checks that the map has exactly the images of the newest lists.
    fn check_maps(&self) {
        for subscription in self.resource_by_id_map.values() {
            let listed = subscription.current_image_list().images(CONDUCTOR);
            let id = subscription.registration_id;
            let mapped = self.image_by_key_map.keys().filter(|key| key.subscription_registration_id == id).count();
            let same =
                listed.len() == mapped && listed.iter().all(|image| self.image_by_key_map.contains_key(&image.key));
            always("image_by_key_map has the images of the newest lists", same);
        }
    }
}
