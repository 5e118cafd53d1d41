//! The numbers and result codes of upstream's own tests (aeron_subscription_test.cpp, aeron_image_test.cpp,
//! SystemTest.cpp of the wrapper), on the test's own thread.

use std::collections::BTreeSet;
use std::sync::Arc;

use lastref::ledger::Owner;

use models::image::client::Client;
use models::image::conductor::{CONDUCTOR, Conductor};
use models::image::driver::Driver;
use models::image::errno::Errno;
use models::image::shm::{FRAME_LENGTH, Shm};
use models::image::wrapper::{Constructor, SharedHandles, SubscriptionWrapper};
use models::image::{Action, Callback, DriverOp, Poll, Variant};

const BY: Owner = Owner::new("subscriber", 0);
const RAW: Owner = Owner::new("raw", 0);

/// A client with one subscription, and a driver.
struct Machine {
    shm: Arc<Shm>,
    client: Arc<Client>,
    conductor: Conductor,
    driver: Driver,
    wrapper: SubscriptionWrapper,
}

impl Machine {
    fn start(variant: Variant, room: u32) -> Machine {
        let (shm, client, shelf) = (Shm::new(room), Client::new(8), SharedHandles::new());
        let mut conductor = Conductor::init(variant, &client, &shelf, &shm);
        let wrapper = conductor.on_subscription_ready(0, Callback::None);
        let driver = Driver::new(variant, &shm, &client, BTreeSet::from([0]));
        Machine { shm, client, conductor, driver, wrapper }
    }

    /// The driver does it, and the conductor handles it.
    fn happens(&mut self, op: DriverOp) {
        self.driver.run(&[op]);
        self.conductor.run_until_idle();
    }

    fn poll(&self, handler: &mut dyn FnMut()) -> u32 {
        let mut on_fragment = |_: &models::image::image_poll::Fragment<'_>| {
            handler();
            Action::Continue
        };
        self.wrapper.subscription().poll(BY, Poll::Plain, &mut on_fragment, 64)
    }

    fn last_change_number(&self) -> i64 {
        self.wrapper.subscription().last_image_list_change_number(BY)
    }

    fn close(self) {
        let Machine { client, mut conductor, driver, wrapper, shm } = self;
        client.close_subscription(BY, wrapper.subscription());
        conductor.run_until_idle();
        conductor.on_close();
        assert_eq!(shm.mapped(), 0);
        driver.close();
    }
}

#[test]
fn an_image_is_added_and_removed_without_a_poll() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    assert_eq!(machine.last_change_number(), -1);
    assert_eq!(machine.wrapper.subscription().image_count(BY), 1);
    machine.happens(DriverOp::Vanish(0));
    assert_eq!(machine.last_change_number(), 0);
    assert_eq!(machine.shm.mapped(), 1, "the subscriber may be in the list with the image");
    assert_eq!(machine.wrapper.subscription().image_count(BY), 0);
    machine.conductor.run_until_idle();
    assert_eq!(machine.shm.mapped(), 0);
    machine.close();
}

#[test]
fn a_lookup_by_index_finds_each_image_that_is_listed_and_none_beyond() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(3));
    machine.happens(DriverOp::Publish(4));
    let subscription = Arc::clone(machine.wrapper.subscription());
    let found: Vec<Option<i32>> = (0..3)
        .map(|index| {
            let image = subscription.image_at_index(BY, RAW, index)?;
            image.decr_refcnt(BY, RAW);
            Some(image.session_id)
        })
        .collect();
    assert_eq!(found, [Some(3), Some(4), None]);
    machine.close();
}

#[test]
fn a_poll_after_the_removal_lets_the_image_go() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    machine.happens(DriverOp::Vanish(0));
    assert_eq!(machine.shm.mapped(), 1);
    assert_eq!(machine.poll(&mut || ()), 0);
    assert_eq!(machine.last_change_number(), 1);
    assert_eq!(machine.wrapper.subscription().prune_image_lists(), 2);
    machine.conductor.run_until_idle();
    assert_eq!(machine.shm.mapped(), 0);
    machine.close();
}

#[test]
fn a_poll_before_the_removal_does_not() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    assert_eq!(machine.poll(&mut || ()), 0);
    machine.happens(DriverOp::Vanish(0));
    assert_eq!(machine.shm.mapped(), 1);
    machine.close();
}

#[test]
fn references_are_counted_as_the_system_test_of_the_wrapper_expects() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(7));
    let find = |machine: &Machine| machine.wrapper.image_by_session_id(BY, 7, Constructor::Succeeds);
    let first = find(&machine).expect("the constructor succeeds").expect("the image is listed");
    let second = machine.wrapper.image_by_index(BY, 0).expect("the constructor succeeds").expect("there is one");
    let raw = machine.wrapper.subscription().image_by_session_id(BY, RAW, 7).expect("the image is listed");
    assert_eq!(raw.refcnt_acquire(BY), 4, "two handles, a raw reference and the conductor's");
    raw.decr_refcnt(BY, RAW);
    assert_eq!(first.image().refcnt_acquire(BY), 3);
    let image = Arc::clone(first.image());
    first.release(BY);
    second.release(BY);
    assert_eq!(image.refcnt_acquire(BY), 1);
    assert_eq!(
        machine.wrapper.image_by_session_id(BY, 8, Constructor::Succeeds).map(|found| found.is_none()),
        Ok(true)
    );
    machine.close();
}

#[test]
fn a_retained_image_is_released_after_it_became_unavailable() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    let handle = machine.wrapper.image_by_index(BY, 0).expect("the constructor succeeds").expect("there is one");
    machine.happens(DriverOp::Vanish(0));
    assert_eq!(machine.poll(&mut || ()), 0);
    machine.conductor.run_until_idle();
    assert_eq!(machine.shm.mapped(), 1, "the handle keeps the mapping");
    assert_eq!(handle.image().constants(BY).subscription_registration_id, None);
    handle.release(BY);
    machine.conductor.run_until_idle();
    assert_eq!(machine.shm.mapped(), 0);
    machine.conductor.check_reclaimed();
    machine.close();
}

#[test]
fn release_is_einval_where_it_asks_for_membership() {
    let mut machine = Machine::start(Variant::ReleaseRequiresMembership, 8);
    machine.happens(DriverOp::Publish(0));
    let image = machine.wrapper.subscription().image_at_index(BY, RAW, 0).expect("there is one");
    machine.happens(DriverOp::Vanish(0));
    let subscription = Arc::clone(machine.wrapper.subscription());
    assert_eq!(subscription.image_release(BY, &image, RAW), Err(Errno::Inval));
    assert_eq!(subscription.image_retain(BY, &image, RAW), Err(Errno::Inval));
    assert_eq!(image.refcnt_acquire(BY), 2);
    image.decr_refcnt(BY, RAW);
    machine.close();
}

#[test]
fn reading_stops_when_the_image_is_closed_in_the_handler_and_the_position_stays() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    machine.happens(DriverOp::Write(0, 3));
    let handle = machine.wrapper.image_by_index(BY, 0).expect("the constructor succeeds").expect("there is one");
    let image = Arc::clone(handle.image());
    let mut on_fragment = |_: &models::image::image_poll::Fragment<'_>| {
        image.close();
        Action::Continue
    };
    assert_eq!(image.poll(BY, Poll::Plain, &mut on_fragment, 3), 1);
    assert_eq!(image.position(BY), 0);
    assert_eq!(image.poll(BY, Poll::Plain, &mut on_fragment, 3), 0);
    assert!(!image.is_end_of_stream(BY));
    assert!(!machine.wrapper.subscription().is_connected(BY));
    handle.release(BY);
    machine.close();
}

#[test]
fn a_controlled_poll_commits_breaks_and_aborts() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    machine.happens(DriverOp::Write(0, 4));
    let subscription = Arc::clone(machine.wrapper.subscription());
    let image = subscription.image_at_index(BY, RAW, 0).expect("there is one");
    let poll = |action: Action| subscription.poll(BY, Poll::Controlled, &mut |_| action, 2);
    assert_eq!(poll(Action::Abort), 0);
    assert_eq!(image.position(BY), 0);
    assert_eq!(poll(Action::Break), 1);
    assert_eq!(image.position(BY), FRAME_LENGTH);
    assert_eq!(poll(Action::Commit), 2);
    assert_eq!(image.position(BY), 3 * FRAME_LENGTH);
    assert_eq!(poll(Action::Continue), 1);
    machine.happens(DriverOp::Vanish(0));
    assert_eq!(image.end_of_stream_position(BY), 4 * FRAME_LENGTH);
    assert!(image.is_end_of_stream(BY));
    image.decr_refcnt(BY, RAW);
    machine.close();
}

#[test]
fn an_image_that_is_listed_but_not_in_the_map_is_found() {
    let found = lastref::Check::new("maps").schedules(1).search(|| {
        let mut machine = Machine::start(Variant::Fixed, 8);
        machine.happens(DriverOp::Publish(0));
        machine.conductor.image_by_key_map.clear();
        machine.happens(DriverOp::Publish(1));
    });
    let property = found.expect_err("the map lacks an image").violation.property;
    assert_eq!(property, "image_by_key_map has the images of the newest lists");
}

#[test]
fn a_log_that_is_mapped_takes_up_room_after_it_is_unlinked() {
    let mut machine = Machine::start(Variant::Fixed, 1);
    machine.happens(DriverOp::Publish(0));
    machine.happens(DriverOp::Vanish(0));
    assert!(machine.shm.create().is_none());
    machine.poll(&mut || ());
    machine.conductor.run_until_idle();
    assert!(machine.shm.create().is_some());
    machine.close();
}

#[test]
fn a_log_that_is_gone_before_it_is_mapped_makes_no_image() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.driver.run(&[DriverOp::Publish(0), DriverOp::Vanish(0)]);
    machine.conductor.run_until_idle();
    assert_eq!(machine.wrapper.subscription().image_count(CONDUCTOR), 0);
    assert_eq!(machine.shm.mapped(), 0);
    machine.close();
}

#[test]
fn a_subscription_that_is_closed_by_force_is_not_closed_again() {
    let mut machine = Machine::start(Variant::Fixed, 8);
    machine.happens(DriverOp::Publish(0));
    let handle = machine.wrapper.image_by_index(BY, 0).expect("the constructor succeeds").expect("there is one");
    machine.happens(DriverOp::Die);
    assert!(machine.conductor.is_terminating && machine.client.is_closed());
    assert!(handle.image().is_closed(BY) && machine.wrapper.subscription().is_closed(BY));
    assert_eq!(machine.conductor.do_work(), 0);
    handle.release(BY);
    machine.close();
}
