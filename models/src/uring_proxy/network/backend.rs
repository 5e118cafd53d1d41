//! The server: answers each request, and ends connections that are idle, as redis does with `timeout`.

use std::sync::Arc;

use lastref::net::{Host, TcpListener, TcpStream, sleep, timeout};
use lastref::property::sometimes;
use lastref::time::Duration;

use super::BACKEND_PORT;
use super::duplex::{Duplex, Step};
use super::resp::{Requests, reply};
use crate::kit::harness::install;
use crate::uring_proxy::application::score::Score;
use crate::uring_proxy::plan::{Leaves, NetPlan};

/// Idle timeout of a connection: longer than the timeout of any client.
const IDLE: Duration = Duration::from_secs(4);

/// Runs the server on a host.
pub(crate) fn start(host: Host, plan: &NetPlan, score: &Arc<Score>) {
    let (plan, score) = (plan.clone(), Arc::clone(score));
    install(host, BACKEND_PORT, move |listener| accept(host, listener, plan.clone(), Arc::clone(&score)));
}

async fn accept(host: Host, listener: TcpListener, plan: NetPlan, score: Arc<Score>) {
    let mut numbers = 0..;
    while let (Ok((stream, _)), Some(number)) = (listener.accept().await, numbers.next()) {
        host.spawn(&format!("conn.{number}"), serve(stream, plan.clone(), Arc::clone(&score)));
    }
}

async fn serve(stream: TcpStream, plan: NetPlan, score: Arc<Score>) {
    let backend = plan.backend;
    let mut duplex = Duplex::new(stream, backend.piece as usize);
    let mut requests = Requests::default();
    let (mut answered, mut has_left) = (0, false);
    // Ends with the connection, or when the connection is idle, whichever end causes it.
    while let Ok(Ok(step)) = timeout(IDLE, duplex.step()).await {
        match step {
            Step::End => break,
            Step::Wrote => {}
            Step::Read(bytes) => {
                for payload in requests.take(&bytes) {
                    answered += 1;
                    if plan.options.bidi && !has_left && backend.leaves != Leaves::Drop(answered) {
                        duplex.send(&reply(&payload));
                    }
                }
                if let Some((stream, arrived)) = requests.arrived() {
                    score.arrived(stream, arrived);
                }
                if backend.lag_ms > 0 {
                    sleep(Duration::from_millis(u64::from(backend.lag_ms))).await;
                }
            }
        }
        match backend.leaves {
            Leaves::Drop(requests) if answered >= requests => {
                sometimes("the server closes its socket with requests under way", true);
                return;
            }
            Leaves::Fin(requests) if answered >= requests && duplex.is_sent() && !has_left => {
                has_left = true;
                duplex.half_close().await;
            }
            _ => {}
        }
    }
    duplex.half_close().await;
}
