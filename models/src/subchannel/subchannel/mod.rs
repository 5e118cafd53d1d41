//! `Subchannel`: one address with its args, and the connection to it.
//!
//! Upstream (1.53.0, subchannel.cc). Channels hold the strong refs (through `SubchannelWrapper`). The weak refs are
//! "Connect" (an attempt in progress), "state_watcher" (a watch on the published transport), "RetryTimer", and
//! "ResetBackoff" during that call. The release of the last strong ref orphans the Subchannel: it leaves the pool, sets
//! `shutdown_`, and releases its connector and its ConnectedSubchannel. Later callbacks find `shutdown_` set.
//!
//! The transport has one owner at a time: first `connecting_result_`, which the connector writes to; from
//! `PublishTransportLocked` on, the ConnectedSubchannel; none once it is destroyed.
//!
//! Left out: health checking and data producers, proxy mapping, channelz.

pub(crate) mod backoff;
pub(crate) mod connected_subchannel;
pub(crate) mod connector;
pub(crate) mod handshake;
pub mod pool;
pub mod state;
pub(crate) mod state_watcher;

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::{Mutex, MutexGuard};
use lastref::time::{Duration, Instant};

use crate::kit::harness::impl_debug;
use crate::kit::machine;
use crate::subchannel::application::moments::Stage;
use crate::subchannel::channel::watcher_wrapper::WatcherWrapper;
use crate::subchannel::iomgr::TaskHandle;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::DualRefCounted;
use crate::subchannel::status::Outcome;
use crate::subchannel::subchannel::backoff::{BackOff, MIN_CONNECT_TIMEOUT};
use crate::subchannel::subchannel::connected_subchannel::ConnectedSubchannel;
use crate::subchannel::subchannel::connector::{Args, Chttp2Connector, ConnectResult};
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::{Event, State, next};
use crate::subchannel::subchannel::state_watcher::ConnectedSubchannelStateWatcher;
use crate::subchannel::transport::tracker::Change;
use crate::subchannel::variant::Variant;

/// `Subchannel`.
pub struct Subchannel {
    refs: DualRefCounted,
    pub(crate) number: u32,
    pub(crate) key: SubchannelKey,
    pub(crate) grpc: Arc<Grpc>,
    /// `subchannel_pool_`: true if it is registered. `create` sets it and `orphan` reads it, without a lock.
    pooled: RaceCell<bool>,
    connecting_result: Arc<ConnectResult>,
    mu: Mutex<Guarded>,
}

/// The state that `mu_` guards.
struct Guarded {
    state: State,
    shutdown: bool,
    connector: Option<Arc<Chttp2Connector>>,
    connected_subchannel: Option<Arc<ConnectedSubchannel>>,
    backoff: BackOff,
    next_attempt_time: Instant,
    retry_timer_handle: Option<TaskHandle>,
    keepalive_time: Option<Duration>,
    watcher_list: Vec<Arc<WatcherWrapper>>,
}

impl Subchannel {
    /// `Subchannel::Create`: returns the pooled Subchannel for the key, or a new one, with a strong ref for `holder`.
    pub fn create(
        grpc: &Arc<Grpc>,
        exec_ctx: &mut ExecCtx,
        key: SubchannelKey,
        keepalive_time: Option<Duration>,
        holder: Owner,
    ) -> Arc<Subchannel> {
        if let Some(found) = grpc.pool.find(key, holder) {
            return found;
        }
        let number = grpc.number();
        let constructed = Arc::new(Subchannel {
            refs: DualRefCounted::new("Subchannel", holder),
            number,
            key,
            grpc: Arc::clone(grpc),
            pooled: RaceCell::named("subchannel_pool_", false),
            connecting_result: ConnectResult::new(),
            mu: Mutex::named(
                "Subchannel.mu_",
                Guarded {
                    state: State::Idle,
                    shutdown: false,
                    connector: Some(Chttp2Connector::new(grpc)),
                    connected_subchannel: None,
                    backoff: BackOff::default(),
                    next_attempt_time: Instant::now(),
                    retry_timer_handle: None,
                    keepalive_time,
                    watcher_list: Vec::new(),
                },
            ),
        });
        grpc.pool.born(key);
        let registered = grpc.pool.register(&constructed, holder);
        if Arc::ptr_eq(&registered, &constructed) {
            constructed.pooled.set(true);
        } else {
            constructed.unref(exec_ctx, holder);
        }
        registered
    }

    fn owner(&self, reason: &'static str) -> Owner {
        Owner::new(reason, self.number)
    }

    /// `RefIfNonZero`, which the pool calls with its lock held. True if `holder` has a strong ref now.
    #[track_caller]
    pub(crate) fn ref_for_finder(&self, holder: Owner) -> bool {
        let finder = self.owner("GlobalSubchannelPool");
        // upstream: #18043, subchannel_pool of early 2019, which ignores the result.
        let found = self.refs.ref_if_non_zero(finder) || self.grpc.variant == Variant::RegisterReturnsDying;
        if found {
            self.refs.pass(finder, holder);
        }
        found
    }

    /// True if a strong ref is left. For checks.
    pub(crate) fn has_strong(&self) -> bool {
        self.refs.has_strong()
    }

    /// The stage of its connection attempt, for rare states.
    pub(crate) fn stage(&self) -> Stage {
        self.connecting_result.progress.stage()
    }

    /// `Unref`, of a strong ref.
    #[track_caller]
    pub fn unref(self: &Arc<Self>, exec_ctx: &mut ExecCtx, holder: Owner) {
        self.refs.unref(holder, exec_ctx, |exec_ctx| self.orphan(exec_ctx), |_| self.delete());
    }

    /// The destructor: `orphan` has already released everything.
    fn delete(&self) {
        self.grpc.pool.died(self.key);
    }

    #[track_caller]
    pub(crate) fn weak_unref(&self, reason: &'static str) {
        self.refs.weak_unref(self.owner(reason), || self.delete());
    }

    /// `Subchannel::Orphan`.
    fn orphan(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.refs.touch(self.owner("Orphan"));
        // No lock is needed: after its creation, the Subchannel uses the pool only here.
        if self.pooled.get() {
            self.grpc.pool.unregister(self);
            self.pooled.set(false);
        }
        let mut guarded = self.mu.lock();
        always("a Subchannel is orphaned once", !guarded.shutdown);
        sometimes("a Subchannel is orphaned while it connects", guarded.state == State::Connecting);
        guarded.shutdown = true;
        if let Some(connector) = guarded.connector.take() {
            connector.orphan(exec_ctx);
        }
        if let Some(connected) = guarded.connected_subchannel.take() {
            connected.reset(exec_ctx);
        }
    }

    /// `RequestConnection`.
    pub fn request_connection(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.refs.touch(self.owner("RequestConnection"));
        let mut guarded = self.mu.lock();
        if guarded.state == State::Idle {
            self.start_connecting_locked(&mut guarded, exec_ctx);
        }
    }

    /// `ResetBackoff`.
    pub fn reset_backoff(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.refs.weak_ref(self.owner("ResetBackoff"));
        let mut guarded = self.mu.lock();
        guarded.backoff.reset();
        match guarded.state {
            State::TransientFailure => {
                let timer = guarded.retry_timer_handle;
                if timer.is_some_and(|timer| self.grpc.iomgr.cancel(timer)) {
                    self.weak_unref("RetryTimer");
                    self.on_retry_timer_locked(&mut guarded, exec_ctx);
                } else {
                    sometimes("backoff is reset while the retry timer is on its way", true);
                }
            }
            State::Connecting => guarded.next_attempt_time = Instant::now(),
            State::Idle | State::Ready | State::Shutdown => {}
        }
        drop(guarded);
        self.weak_unref("ResetBackoff");
    }

    /// `ThrottleKeepaliveTime`: never shortens the time.
    pub(crate) fn throttle_keepalive_time(&self, keepalive_time: Duration) {
        self.refs.touch(self.owner("ThrottleKeepaliveTime"));
        let mut guarded = self.mu.lock();
        if guarded.keepalive_time.is_some_and(|time| time < keepalive_time) {
            guarded.keepalive_time = Some(keepalive_time);
        }
    }

    /// `WatchConnectivityState`: takes over a ref to the watcher, and notifies it of the present state.
    pub(crate) fn watch_connectivity_state(&self, exec_ctx: &mut ExecCtx, watcher: Arc<WatcherWrapper>) {
        self.refs.touch(self.owner("WatchConnectivityState"));
        let mut guarded = self.mu.lock();
        watcher.notify(exec_ctx, Change { state: guarded.state, keepalive_throttling: None });
        guarded.watcher_list.push(watcher);
    }

    /// `CancelConnectivityStateWatch`: returns the watcher with its ref.
    pub(crate) fn cancel_connectivity_state_watch(&self, watcher: &Arc<WatcherWrapper>) -> Option<Arc<WatcherWrapper>> {
        self.refs.touch(self.owner("CancelConnectivityStateWatch"));
        let mut guarded = self.mu.lock();
        let place = guarded.watcher_list.iter().position(|listed| Arc::ptr_eq(listed, watcher))?;
        Some(guarded.watcher_list.remove(place))
    }

    /// `connected_subchannel()`. Takes a ref for `holder`.
    #[track_caller]
    pub(crate) fn connected_subchannel(&self, holder: Owner) -> Option<Arc<ConnectedSubchannel>> {
        self.refs.touch(self.owner("connected_subchannel"));
        let guarded = self.mu.lock();
        let connected = guarded.connected_subchannel.as_ref()?;
        connected.reference(holder);
        Some(Arc::clone(connected))
    }

    /// `SetConnectivityStateLocked`, with the next state after `event`.
    fn set_connectivity_state_locked(
        &self,
        guarded: &mut Guarded,
        exec_ctx: &mut ExecCtx,
        event: Event,
        keepalive_throttling: Option<Duration>,
    ) {
        let (before, next) = (guarded.state, next(guarded.state, event, self.owner("Subchannel")));
        machine::happens(&mut guarded.state, self.number, next);
        let state = guarded.state;
        if state == before {
            return;
        }
        guarded
            .watcher_list
            .iter()
            .for_each(|watcher| watcher.notify(exec_ctx, Change { state, keepalive_throttling }));
    }

    /// `OnRetryTimer`.
    fn on_retry_timer(&self, exec_ctx: &mut ExecCtx) {
        self.refs.touch(self.owner("RetryTimer"));
        let mut guarded = self.mu.lock();
        self.on_retry_timer_locked(&mut guarded, exec_ctx);
        drop(guarded);
        self.weak_unref("RetryTimer");
    }

    fn on_retry_timer_locked(&self, guarded: &mut Guarded, exec_ctx: &mut ExecCtx) {
        if guarded.shutdown {
            sometimes("a retry timer finds its Subchannel orphaned", true);
            return;
        }
        self.set_connectivity_state_locked(guarded, exec_ctx, Event::BackoffElapsed, None);
    }

    /// `StartConnectingLocked`.
    fn start_connecting_locked(self: &Arc<Self>, guarded: &mut Guarded, exec_ctx: &mut ExecCtx) {
        let min_deadline = Instant::now() + MIN_CONNECT_TIMEOUT;
        guarded.next_attempt_time = guarded.backoff.next_attempt_time();
        self.set_connectivity_state_locked(guarded, exec_ctx, Event::RequestConnection, None);
        let args = Args {
            address: self.key.address,
            deadline: guarded.next_attempt_time.max(min_deadline),
            keepalive_time: guarded.keepalive_time,
        };
        let connector = guarded.connector.clone();
        always("a Subchannel that connects has its connector", connector.is_some());
        let Some(connector) = connector else { return };
        self.refs.weak_ref(self.owner("Connect"));
        let subchannel = Arc::clone(self);
        let on_connecting_finished =
            move |exec_ctx: &mut ExecCtx, result: Outcome| subchannel.on_connecting_finished(exec_ctx, result);
        connector.connect(exec_ctx, args, &self.connecting_result, Box::new(on_connecting_finished));
    }

    /// `OnConnectingFinished`.
    fn on_connecting_finished(self: &Arc<Self>, exec_ctx: &mut ExecCtx, result: Outcome) {
        self.refs.touch(self.owner("Connect"));
        let mut guarded = self.mu.lock();
        self.connecting_result.progress.is_now(Stage::None);
        self.on_connecting_finished_locked(&mut guarded, exec_ctx, result);
        drop(guarded);
        self.weak_unref("Connect");
    }

    fn on_connecting_finished_locked(
        self: &Arc<Self>,
        guarded: &mut MutexGuard<'_, Guarded>,
        exec_ctx: &mut ExecCtx,
        result: Outcome,
    ) {
        let failed = result.is_err();
        always("an attempt that failed leaves no transport", !failed || !self.connecting_result.has_transport());
        if guarded.shutdown {
            sometimes("a connection is made for a Subchannel that was orphaned", result.is_ok());
            // upstream: subchannel.cc OnConnectingFinishedLocked, before #32071
            if self.grpc.variant != Variant::ConnectResultDroppedOnShutdown {
                self.connecting_result.reset(exec_ctx);
            }
            return;
        }
        if self.publish_transport_locked(guarded, exec_ctx) {
            return;
        }
        let left = guarded.next_attempt_time.saturating_duration_since(Instant::now());
        self.set_connectivity_state_locked(guarded, exec_ctx, Event::ConnectFailed, None);
        self.refs.weak_ref(self.owner("RetryTimer"));
        let subchannel = Arc::clone(self);
        let timer = self.grpc.iomgr.run_after(left, move |exec_ctx| subchannel.on_retry_timer(exec_ctx));
        guarded.retry_timer_handle = Some(timer);
    }

    /// `PublishTransportLocked`: false if there is no transport to publish.
    fn publish_transport_locked(self: &Arc<Self>, guarded: &mut Guarded, exec_ctx: &mut ExecCtx) -> bool {
        always("a Subchannel that is orphaned publishes nothing", !guarded.shutdown);
        let Some(transport) = self.connecting_result.take() else { return false };
        let connected = ConnectedSubchannel::new(&self.grpc, transport);
        if self.grpc.variant != Variant::WatcherNotStarted {
            self.refs.weak_ref(self.owner("state_watcher"));
            let watcher = ConnectedSubchannelStateWatcher::new(self, &connected);
            connected.transport.start_connectivity_watch(exec_ctx, watcher);
        }
        let before = guarded.connected_subchannel.replace(connected);
        always("a Subchannel publishes a transport while it has none", before.is_none());
        self.set_connectivity_state_locked(guarded, exec_ctx, Event::Published, None);
        true
    }

    /// `ConnectedSubchannelStateWatcher::OnConnectivityStateChange`, of the watcher of `watched`.
    pub(crate) fn on_transport_state_change(&self, exec_ctx: &mut ExecCtx, watched: u32, change: Change) {
        self.refs.touch(self.owner("state_watcher"));
        let mut guarded = self.mu.lock();
        if self.grpc.variant == Variant::OnlyShutdownObserved && change.state == State::TransientFailure {
            return;
        }
        // TRANSIENT_FAILURE means GOAWAY, SHUTDOWN the end of the connection. Only the first notification counts.
        let Some(connected) = &guarded.connected_subchannel else {
            sometimes("a transport reports its end a second time, or after its Subchannel's", true);
            return;
        };
        // Deviates: upstream checks that there is a ConnectedSubchannel, not that it is the watched one. A transport
        // that received GOAWAY with streams open reports SHUTDOWN when the last stream has ended, possibly after the
        // Subchannel has connected again. The later versions that we read have the same code; the bug is not reported.
        if connected.number != watched && self.grpc.variant != Variant::LateShutdownDropsSuccessor {
            sometimes("a transport ends after its Subchannel has connected again", true);
            return;
        }
        always("a Subchannel gives up the connection that has failed, and no other", connected.number == watched);
        if let Some(connected) = guarded.connected_subchannel.take() {
            connected.reset(exec_ctx);
        }
        let throttling = change.keepalive_throttling;
        self.set_connectivity_state_locked(&mut guarded, exec_ctx, Event::TransportLost, throttling);
        guarded.backoff.reset();
    }

    /// Checks that hold at quiescence.
    pub(crate) fn check_at_rest(&self) {
        let guarded = self.mu.lock();
        let ready = guarded.state == State::Ready;
        always(
            "a Subchannel has a transport if, and only if, it is READY",
            ready == guarded.connected_subchannel.is_some(),
        );
        let Some(connected) = &guarded.connected_subchannel else { return };
        let Some((state, watched)) = connected.transport.inspect() else { return };
        always("a READY Subchannel watches its transport", watched);
        always("a Subchannel is READY only while its transport is READY", state == State::Ready);
    }
}

impl_debug!(Subchannel { number, key });
