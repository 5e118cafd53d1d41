//! The application: subscribers, and on their machine a driver and a client with its conductor.
//!
//! A run sets up publishers and first handles, runs the tasks, and ends in the order that upstream requires: polls end,
//! handles are dropped, subscriptions are closed, the client is closed.

pub(super) mod subscriber;

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::net::{Decoder, Host, thread_on};
use lastref::property::{always, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use self::subscriber::{Signals, Subscriber};
use super::client::Client;
use super::conductor::Conductor;
use super::driver::Driver;
use super::network::{OnHosts, frame};
use super::plan::{Closer, DriverOp, NetPlan, PUBLISHERS, Plan};
use super::shm::Shm;
use super::variant::Variant;
use super::wrapper::SharedHandles;

const MAIN: Owner = Owner::new("main", 0);
const CLEARER: Owner = Owner::new("clearer", 0);

/// The pause between two clearings of the shelf.
const BETWEEN_CLEARINGS: Duration = Duration::from_millis(30);

/// Runs the plan in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let mut application = Application::open(variant, plan);
    application.prepare();
    let steps = plan.driver.clone();
    application.work(&mut Scripted { steps, driver: None, task: None }).close();
}

/// Runs the plan on a simulated network, with the subscribers' machine and each publisher on a host of its own.
pub fn run_on_network(variant: Variant, plan: &NetPlan) {
    let publishers = &PUBLISHERS[..plan.publishers.len()];
    plan.weather.simulate("subscriber", publishers, Decoder::Own(frame::protocol), |hosts| {
        Application::open(variant, &plan.plan).work(&mut OnHosts::new(hosts, plan)).close();
    });
}

/// A machine with a driver and one client.
struct Application {
    variant: Variant,
    plan: Plan,
    shm: Arc<Shm>,
    client: Arc<Client>,
    shelf: Arc<SharedHandles>,
    signals: Arc<Signals>,
    conductor: Conductor,
    driver: Driver,
    subscribers: Vec<Subscriber>,
}

/// The source of the driver's events during the run: streams that appear and end.
pub(super) trait Publishing {
    /// The host of the client's threads, if there is a network.
    fn host(&self) -> Option<Host>;

    /// Starts the source.
    fn start(&mut self, driver: Driver, signals: &Arc<Signals>);

    /// Waits for the end of the publishers, and of their images unless `are_done` reports that no subscriber is left;
    /// then signals subscribers that poll.
    fn await_publishers(&mut self, are_done: &dyn Fn() -> bool);

    /// Ends the source.
    fn stop(&mut self) -> Driver;
}

impl Application {
    /// Creates the driver, the client and the plan's subscriptions.
    fn open(variant: Variant, plan: &Plan) -> Application {
        let shm = Shm::new(plan.shm_capacity);
        let client = Client::new(plan.command_capacity);
        let (shelf, signals) = (SharedHandles::new(), Signals::new());
        let mut conductor = Conductor::init(variant, &client, &shelf, &shm);
        let mut subscribers = Vec::new();
        for (subscriber, number) in plan.subscribers.iter().zip(0_u32..) {
            subscribers.push(Subscriber {
                by: Owner::new("subscriber", number),
                wrapper: conductor.on_subscription_ready(i64::from(number), subscriber.callback),
                client: Arc::clone(&client),
                signals: Arc::clone(&signals),
                plan: subscriber.clone(),
                handles: Vec::new(),
                closed: false,
                awaited: plan.closer == Closer::Main,
            });
        }
        let ids = subscribers.iter().map(|subscriber| subscriber.wrapper.subscription().registration_id).collect();
        let driver = Driver::new(variant, &shm, &client, ids);
        Application { variant, plan: plan.clone(), shm, client, shelf, signals, conductor, driver, subscribers }
    }

    /// Performs the steps that precede the tasks.
    fn prepare(&mut self) {
        self.driver.run(&self.plan.before);
        self.conductor.run_until_idle();
        self.subscribers.iter_mut().for_each(Subscriber::take_handles);
        self.driver.run(&self.plan.unnoticed);
    }

    /// Runs the tasks, from their start to the end of the last.
    fn work(self, publishing: &mut dyn Publishing) -> Application {
        let Application { variant, plan, shm, client, shelf, signals, conductor, driver, subscribers } = self;
        let host = publishing.host();
        publishing.start(driver, &signals);
        let mode = plan.conductor;
        let conductor = thread_on(host, "conductor", move || {
            let mut conductor = conductor;
            conductor.run(mode);
            conductor
        });
        let clearer = (plan.clearings > 0).then(|| start_clearer(host, &shelf, plan.clearings));
        let closers: Vec<_> =
            subscribers.iter().map(|subscriber| (subscriber.by, subscriber.wrapper.clone())).collect();
        let subscribers: Vec<_> =
            subscribers.into_iter().map(|subscriber| start_subscriber(host, subscriber)).collect();
        let during_poll = plan.closer == Closer::Main && variant == Variant::CloseDuringPoll;
        if during_poll {
            // A bug of the application: the subscription's thread is in the middle of a poll.
            signals.await_readers(closers.len());
            closers.iter().for_each(|(_, wrapper)| client.close_subscription(MAIN, wrapper.subscription()));
        }
        publishing.await_publishers(&|| subscribers.iter().all(JoinHandle::is_finished));
        let mut subscribers: Vec<Subscriber> = subscribers.into_iter().map(JoinHandle::join).collect();
        for subscriber in &mut subscribers {
            subscriber.closed |= during_poll;
            if plan.closer == Closer::Main {
                subscriber.close();
            }
        }
        if let Some(clearer) = clearer {
            clearer.join();
        }
        let driver = publishing.stop();
        client.stop.store(true, Ordering::Release);
        let conductor = conductor.join();
        Application { variant, plan, shm, client, shelf, signals, conductor, driver, subscribers }
    }

    /// Drops the handles, closes the subscriptions, then closes the client.
    fn close(mut self) {
        self.conductor.check_references();
        self.conductor.run_until_idle();
        for subscriber in &mut self.subscribers {
            subscriber.drop_handles();
        }
        for handle in self.shelf.take() {
            handle.release(MAIN);
        }
        self.settle();
        for subscriber in &mut self.subscribers {
            subscriber.close();
        }
        self.conductor.run_until_idle();
        let by_force = self.conductor.is_terminating;
        sometimes("a client is closed by force", by_force);
        always("is_closed is true exactly after a close by force", self.client.is_closed() == by_force);
        self.conductor.on_close();
        always("shared memory is unmapped when the client is closed", self.shm.mapped() == 0);
        self.driver.close();
    }

    /// Ends every stream, and lets every subscriber see it, so that nothing can hold an image any more.
    fn settle(&mut self) {
        if self.conductor.is_terminating {
            return;
        }
        self.driver.vanish_all();
        self.conductor.run_until_idle();
        self.subscribers.iter_mut().for_each(Subscriber::move_on);
        self.conductor.run_until_idle();
        if !self.conductor.is_terminating {
            self.conductor.check_reclaimed();
            always("shared memory is unmapped when every stream is gone", self.shm.mapped() == 0);
        }
    }
}

/// The publishers of the plan, on the driver's task.
struct Scripted {
    steps: Vec<DriverOp>,
    driver: Option<Driver>,
    task: Option<JoinHandle<Driver>>,
}

impl Publishing for Scripted {
    fn host(&self) -> Option<Host> {
        None
    }

    fn start(&mut self, mut driver: Driver, signals: &Arc<Signals>) {
        if self.steps.is_empty() {
            // One task fewer for exhaustive exploration.
            signals.published.store(true, Ordering::Release);
            self.driver = Some(driver);
            return;
        }
        let (steps, signals) = (std::mem::take(&mut self.steps), Arc::clone(signals));
        self.task = Some(thread_on(None, "driver", move || {
            driver.run(&steps);
            signals.published.store(true, Ordering::Release);
            driver
        }));
    }

    fn await_publishers(&mut self, _: &dyn Fn() -> bool) {}

    fn stop(&mut self) -> Driver {
        match (self.driver.take(), self.task.take()) {
            (Some(driver), _) => driver,
            (None, Some(task)) => task.join(),
            (None, None) => lastref::bug!("publishers are stopped that were never started"),
        }
    }
}

fn start_subscriber(host: Option<Host>, mut subscriber: Subscriber) -> JoinHandle<Subscriber> {
    let name = format!("subscriber.{}", subscriber.by.index());
    thread_on(host, &name, move || {
        subscriber.run();
        subscriber
    })
}

fn start_clearer(host: Option<Host>, shelf: &Arc<SharedHandles>, clearings: u32) -> JoinHandle<()> {
    let shelf = Arc::clone(shelf);
    thread_on(host, "clearer", move || {
        for _ in 0..clearings {
            for handle in shelf.take() {
                sometimes("a thread drops a handle that another one has made", true);
                handle.image().position(CLEARER);
                handle.release(CLEARER);
            }
            sleep(BETWEEN_CLEARINGS);
        }
    })
}
