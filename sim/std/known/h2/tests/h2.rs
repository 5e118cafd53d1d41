//! h2 0.4.20: a request body stalls for ever, since the server sends no WINDOW_UPDATE after its smaller window applies.

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// One DATA frame of the default size.
const CHUNK: usize = 16_384;
/// Below the window that holds before any SETTINGS, so no part of the body has to wait for the server at first.
const BODY: usize = 3 * CHUNK;

/// The tasks on which client and server run.
trait Tasks: 'static {
    fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> + Send;
    fn yield_now() -> impl Future<Output = ()> + Send;
}

/// tokio's tasks: their order on one thread is that of a queue.
struct Tokio;

impl Tasks for Tokio {
    fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> + Send {
        let task = tokio::spawn(task);
        async { task.await.unwrap() }
    }

    async fn yield_now() {
        tokio::task::yield_now().await;
    }
}

/// lastref's tasks: the strategy chooses their order.
struct Lastref;

impl Tasks for Lastref {
    fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> + Send {
        let task = lastref::task::spawn(task);
        async { task.await.unwrap() }
    }

    async fn yield_now() {
        lastref::task::yield_now().await;
    }
}

/// Answers one request, after it has read the whole body and released its capacity.
async fn serve<E: Tasks, T: AsyncRead + AsyncWrite + Unpin>(io: T, window: u32) {
    let mut connection =
        h2::server::Builder::new().initial_window_size(window).handshake::<_, Bytes>(io).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    let answer = E::spawn(async move {
        let mut body = request.into_body();
        let mut received = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            received += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(received, BODY);
        respond.send_response(Response::new(()), true).unwrap();
    });
    // Drives the connection until the client closes it, which may be while the server still writes.
    while let Some(Ok(_)) = connection.accept().await {}
    answer.await;
}

/// Sends one request with a body, without waiting for the server's SETTINGS.
async fn request<E: Tasks, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: T) {
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    let connection = E::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let (response, mut body) =
        client.send_request(Request::post("http://localhost/").body(()).unwrap(), false).unwrap();
    for sent in 1..=BODY / CHUNK {
        body.send_data(Bytes::from(vec![0; CHUNK]), sent == BODY / CHUNK).unwrap();
        E::yield_now().await;
    }
    response.await.unwrap();
    drop((client, body));
    connection.await.unwrap();
}

async fn over_duplex<E: Tasks>(window: u32) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = E::spawn(serve::<E, _>(theirs, window));
    request::<E, _>(ours).await;
    server.await;
}

async fn over_loopback(window: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { serve::<Tokio, _>(listener.accept().await.unwrap().0, window).await });
    request::<Tokio, _>(TcpStream::connect(address).await.unwrap()).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_body_arrives_over_duplex_with_window_16_384() {
    over_duplex::<Tokio>(16_384).await;
}

#[tokio::test]
async fn a_body_arrives_over_duplex_with_window_100_000() {
    over_duplex::<Tokio>(100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_arrives_over_duplex_with_window_16_384_on_two_threads() {
    over_duplex::<Tokio>(16_384).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_arrives_over_duplex_with_window_100_000_on_two_threads() {
    over_duplex::<Tokio>(100_000).await;
}

#[test]
fn a_body_arrives_over_duplex_with_window_16_384_on_tasks_in_any_order() {
    lastref::task::block_on(over_duplex::<Lastref>(16_384));
}

#[test]
fn a_body_arrives_over_duplex_with_window_100_000_on_tasks_in_any_order() {
    lastref::task::block_on(over_duplex::<Lastref>(100_000));
}

#[tokio::test]
async fn a_body_arrives_over_loopback_with_window_16_384() {
    over_loopback(16_384).await;
}

#[tokio::test]
async fn a_body_arrives_over_loopback_with_window_100_000() {
    over_loopback(100_000).await;
}
