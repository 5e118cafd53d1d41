//! A health check of gRPC: tonic's server, its client, and the service of tonic-health.

mod exchange;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Asks for the status of the service named `known`, which serves, `checks` times over one channel.
async fn health_check(checks: usize) {
    let (listener, address) = exchange::listener().await;
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("known", ServingStatus::Serving).await;
    let incoming = TcpListenerStream::new(listener);
    let server = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let connect = Endpoint::from_shared(format!("http://{address}")).unwrap();
    if let Some(channel) = exchange::result(connect.connect()).await {
        let mut client = HealthClient::new(channel);
        for _ in 0..checks {
            let request = HealthCheckRequest { service: String::from("known") };
            if let Some(response) = exchange::result(client.check(request)).await {
                assert_eq!(response.into_inner().status, ServingStatus::Serving as i32);
            }
        }
    }
    server.abort();
}

#[tokio::test]
async fn health_check_on_one_thread() {
    health_check(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_check_on_two_threads() {
    health_check(1).await;
}
