//! HTTP/1.1: the client of hyper-util with its pool, the server of hyper, and axum.

mod exchange;

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONNECTION;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Pooled = Client<HttpConnector, Empty<Bytes>>;

fn client() -> Pooled {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A server that answers each request with its path, and closes the connection after each response if `closes` is set.
async fn server(closes: bool) -> SocketAddr {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |request: Request<Incoming>| async move {
                let response = Response::builder();
                let response = if closes { response.header(CONNECTION, "close") } else { response };
                Ok::<_, Infallible>(response.body(Full::<Bytes>::from(request.uri().path().to_owned())).unwrap())
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A connection that a fault breaks ends with an error.
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    address
}

/// One request; the answer must belong to it.
async fn request(client: &Pooled, address: SocketAddr, path: &str) {
    let uri = format!("http://{address}{path}").parse().unwrap();
    let body = exchange::result(async {
        let response = client.get(uri).await.map_err(|error| error.to_string())?;
        response.into_body().collect().await.map_err(|error| error.to_string())
    });
    if let Some(body) = body.await {
        assert_eq!(body.to_bytes(), path);
    }
}

#[tokio::test]
async fn two_requests_over_the_pool() {
    let (client, address) = (client(), server(false).await);
    request(&client, address, "/a").await;
    request(&client, address, "/b").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_requests_at_once() {
    let (client, address) = (client(), server(false).await);
    let requests = ["/a", "/b", "/c"].map(|path| {
        let client = client.clone();
        tokio::spawn(async move { request(&client, address, path).await })
    });
    for request in requests {
        request.await.unwrap();
    }
}

#[tokio::test]
async fn the_server_closes_after_each_response() {
    let (client, address) = (client(), server(true).await);
    for path in ["/a", "/b", "/c"] {
        request(&client, address, path).await;
    }
}

/// A server that answers the first request of each connection, and then closes it without announcing that.
async fn server_of_one_answer() -> SocketAddr {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // An error, as of a connection that a fault breaks, ends the connection too.
                if stream.read(&mut [0; 1_024]).await.is_ok() {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/a").await);
                }
            });
        }
    });
    address
}

/// The pool may hand out a connection whose FIN is on the way (RFC 9112, section 9.3.1): it has no way to know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_closes_without_announcing_it() {
    let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let address = server_of_one_answer().await;
    for _ in 0..2 {
        request(&client, address, "/a").await;
    }
}

/// The same with hyper-util's default. It repeats a request that was not written yet; one that was written fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_closes_without_announcing_it_to_a_client_that_retries() {
    let (client, address) = (client(), server_of_one_answer().await);
    for _ in 0..2 {
        request(&client, address, "/a").await;
    }
}

#[tokio::test]
async fn one_route_of_axum() {
    let (listener, address) = exchange::listener().await;
    let routes = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let answer = exchange::result(async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    });
    if let Some(text) = answer.await {
        // A FIN in the middle of the answer leaves a part of it.
        assert!(text.ends_with("hello") || std::env::var_os("FAULTS").is_some(), "{text}");
    }
}
