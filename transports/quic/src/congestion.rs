//! Cubic, but the last word of a connection always gets out.
//!
//! quinn up to 0.11 does not send the end of a connection while the congestion window is full, and
//! a closed connection handles no acknowledgement that would free it: the other side waits for its
//! idle time-out (quinn issue 2785). So a connection that is about to be closed gets a window
//! without end. Nothing but the closing packet leaves by it, because a closed connection sends no
//! data.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn::{Connection, TransportConfig};
use quinn_proto::RttEstimator;

/// Large enough to stop nothing, and to switch pacing off.
const WITHOUT_END: u64 = 1 << 40;

/// Ends congestion control for all connections of an endpoint, once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncork(Arc<AtomicBool>);

impl Uncork {
    /// From now on all connections of the endpoint may send their last word.
    pub(crate) fn all(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn install(&self, config: &mut TransportConfig) {
        config.congestion_controller_factory(Arc::new(Factory(self.clone())));
    }
}

/// Lets the connection send its last word. To be called just before it is closed.
pub(crate) fn uncork(connection: &Connection) {
    let state = connection.congestion_state().into_any();
    if let Ok(controller) = state.downcast::<Corked>() {
        controller.own.all();
    }
}

struct Factory(Uncork);

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Corked {
            inner: Arc::new(CubicConfig::default()).build(now, mtu),
            endpoint: self.0.clone(),
            own: Uncork::default(),
        })
    }
}

struct Corked {
    inner: Box<dyn Controller>,
    endpoint: Uncork,
    own: Uncork,
}

impl Corked {
    fn is_uncorked(&self) -> bool {
        self.own.0.load(Ordering::Relaxed) || self.endpoint.0.load(Ordering::Relaxed)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Controller for Corked {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.is_uncorked() {
            WITHOUT_END
        } else {
            self.inner.window()
        }
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            endpoint: self.endpoint.clone(),
            own: self.own.clone(),
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
