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
use super::network::{Publishers, frame};
use super::plan::{Closer, NetPlan, PUBLISHERS, Plan};
use super::shm::Shm;
use super::variant::Variant;
use super::wrapper::SharedHandles;

const MAIN: Owner = Owner::new("main", 0);
const CLEARER: Owner = Owner::new("clearer", 0);

/// The pause between two clearings of the shelf.
const BETWEEN_CLEARINGS: Duration = Duration::from_millis(30);

/// Runs the plan in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let (application, mut machine) = Application::open(variant, plan);
    application.prepare(&mut machine);
    let Machine { conductor, mut driver, subscribers } = machine;
    let (steps, signals) = (plan.driver.clone(), Arc::clone(&application.signals));
    let publish = move || {
        driver.run(&steps);
        signals.published.store(true, Ordering::Release);
        driver
    };
    // Without steps there is one task fewer, for exhaustive exploration.
    let machine = if plan.driver.is_empty() {
        let driver = publish();
        application.start(None, conductor, subscribers).join(|| driver)
    } else {
        let driver = thread_on(None, "driver", publish);
        application.start(None, conductor, subscribers).join(|| driver.join())
    };
    application.close(machine);
}

/// Runs the plan on a simulated network, with the subscribers' machine and each publisher on a host of its own.
pub fn run_on_network(variant: Variant, plan: &NetPlan) {
    let publishers = &PUBLISHERS[..plan.publishers.len()];
    plan.weather.simulate("subscriber", publishers, Decoder::Own(frame::protocol), |hosts| {
        let (application, Machine { conductor, driver, subscribers }) = Application::open(variant, &plan.plan);
        let mut publishers = Publishers::start(hosts, plan, driver);
        let tasks = application.start(Some(hosts.middle), conductor, subscribers);
        publishers.run(|| tasks.subscribers.iter().all(JoinHandle::is_finished));
        application.signals.published.store(true, Ordering::Release);
        let machine = tasks.join(|| publishers.stop());
        application.close(machine);
    });
}

/// The client of a machine, as its tasks share it.
struct Application {
    variant: Variant,
    plan: Plan,
    shm: Arc<Shm>,
    client: Arc<Client>,
    shelf: Arc<SharedHandles>,
    signals: Arc<Signals>,
}

/// The state that each task owns while it runs. The main task has it before the tasks start and after they have ended.
struct Machine {
    conductor: Conductor,
    driver: Driver,
    subscribers: Vec<Subscriber>,
}

/// The tasks of the client.
struct Tasks<'a> {
    application: &'a Application,
    conductor: JoinHandle<Conductor>,
    clearer: Option<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<Subscriber>>,
    /// The main task has closed the subscriptions under their subscribers.
    has_closed: bool,
}

impl Application {
    /// Creates the driver, the client and the plan's subscriptions.
    fn open(variant: Variant, plan: &Plan) -> (Application, Machine) {
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
        let application = Application { variant, plan: plan.clone(), shm, client, shelf, signals };
        (application, Machine { conductor, driver, subscribers })
    }

    /// Performs the steps that precede the tasks.
    fn prepare(&self, machine: &mut Machine) {
        machine.driver.run(&self.plan.before);
        machine.conductor.run_until_idle();
        for subscriber in &mut machine.subscribers {
            subscriber.take_handles();
        }
        machine.driver.run(&self.plan.unnoticed);
    }

    /// Starts the tasks on this host.
    fn start(&self, host: Option<Host>, mut conductor: Conductor, subscribers: Vec<Subscriber>) -> Tasks<'_> {
        let mode = self.plan.conductor;
        let conductor = thread_on(host, "conductor", move || {
            conductor.run(mode);
            conductor
        });
        let clearer = (self.plan.clearings > 0).then(|| start_clearer(host, &self.shelf, self.plan.clearings));
        let wrappers: Vec<_> = subscribers.iter().map(|subscriber| subscriber.wrapper.clone()).collect();
        let subscribers = subscribers.into_iter().map(|subscriber| start_subscriber(host, subscriber)).collect();
        let has_closed = self.plan.closer == Closer::Main && self.variant == Variant::CloseDuringPoll;
        if has_closed {
            // A bug of the application: the subscription's thread is in the middle of a poll.
            self.signals.await_readers(wrappers.len());
            wrappers.iter().for_each(|wrapper| self.client.close_subscription(MAIN, wrapper.subscription()));
        }
        Tasks { application: self, conductor, clearer, subscribers, has_closed }
    }

    /// Drops the handles, closes the subscriptions, then closes the client.
    fn close(&self, mut machine: Machine) {
        machine.conductor.check_references();
        machine.conductor.run_until_idle();
        for subscriber in &mut machine.subscribers {
            subscriber.drop_handles();
        }
        for handle in self.shelf.take() {
            handle.release(MAIN);
        }
        self.settle(&mut machine);
        for subscriber in &mut machine.subscribers {
            subscriber.close();
        }
        machine.conductor.run_until_idle();
        let by_force = machine.conductor.is_terminating;
        sometimes("a client is closed by force", by_force);
        always("is_closed is true exactly after a close by force", self.client.is_closed() == by_force);
        machine.conductor.on_close();
        always("shared memory is unmapped when the client is closed", self.shm.mapped() == 0);
        machine.driver.close();
    }

    /// Ends every stream, and lets every subscriber see it, so that nothing can hold an image any more.
    fn settle(&self, machine: &mut Machine) {
        let Machine { conductor, driver, subscribers } = machine;
        if conductor.is_terminating {
            return;
        }
        driver.vanish_all();
        conductor.run_until_idle();
        subscribers.iter_mut().for_each(Subscriber::move_on);
        conductor.run_until_idle();
        if !conductor.is_terminating {
            conductor.check_reclaimed();
            always("shared memory is unmapped when every stream is gone", self.shm.mapped() == 0);
        }
    }
}

impl Tasks<'_> {
    /// Waits for the subscribers, then ends the driver by `stop` and the conductor.
    fn join(self, stop: impl FnOnce() -> Driver) -> Machine {
        let Application { plan, client, .. } = self.application;
        let mut subscribers: Vec<Subscriber> = self.subscribers.into_iter().map(JoinHandle::join).collect();
        for subscriber in &mut subscribers {
            subscriber.closed |= self.has_closed;
            if plan.closer == Closer::Main {
                subscriber.close();
            }
        }
        if let Some(clearer) = self.clearer {
            clearer.join();
        }
        let driver = stop();
        client.stop.store(true, Ordering::Release);
        Machine { conductor: self.conductor.join(), driver, subscribers }
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
