//! h2, unchanged, over the simulated network.
use bytes::Bytes;
use lastref::net::{Config, Decoder, Host, TcpListener, TcpStream, block_on, simulate};
use lastref::time::Duration;
use lastref::{Check, Engine, Limits};

/// Serves one connection: after `graceful_after` requests it sends GOAWAY, and the requests in flight complete. A task
/// of its own answers each request, since the connection has to be polled while the body arrives.
async fn serve(server: Host, listener: TcpListener, graceful_after: usize) {
    let Ok((stream, _)) = listener.accept().await else { return };
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut taken = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        server.spawn("answer", answer(request.into_body(), respond));
        taken += 1;
        if taken == graceful_after {
            connection.graceful_shutdown();
        }
    }
}

async fn answer(mut body: h2::RecvStream, mut respond: h2::server::SendResponse<Bytes>) {
    let mut octets = Vec::new();
    while let Some(Ok(part)) = body.data().await {
        octets.extend_from_slice(&part);
        let _ = body.flow_control().release_capacity(part.len());
    }
    if let Ok(mut stream) = respond.send_response(http::Response::new(()), false) {
        let _ = stream.send_data(Bytes::from(octets), true);
    }
}

/// Sends requests one after the other; how many were answered rightly.
async fn call(client: Host, server: Host, requests: usize) -> usize {
    let stream = TcpStream::connect(server.address(80)).await.expect("somebody listens");
    let (sender, connection) = h2::client::handshake(stream).await.expect("both speak h2");
    let connection = client.spawn("connection", async move { connection.await.is_ok() });
    let mut answered = 0;
    for number in 0..requests {
        let Ok(mut ready) = sender.clone().ready().await else { break };
        let request = http::Request::post("http://server/").body(()).expect("a request");
        let Ok((response, mut body)) = ready.send_request(request, false) else { break };
        if body.send_data(Bytes::from(vec![number as u8; 10]), true).is_err() {
            break;
        }
        let Ok(response) = response.await else { break };
        let part = response.into_body().data().await;
        assert_eq!(part.expect("a body").expect("no fault"), vec![number as u8; 10]);
        answered += 1;
    }
    drop(sender);
    connection.join();
    answered
}

fn exchange(graceful_after: usize) -> usize {
    let config = Config { decoder: Decoder::Http2, short: true, ..Config::default() };
    simulate(config, |network| {
        let (client, server) = (network.host("client"), network.host("server"));
        let listener = server.block_on(TcpListener::bind(server.address(80))).expect("the port is free");
        let serving = server.spawn("serve", serve(server, listener, graceful_after));
        let calling = client.thread("call", move || block_on(call(client, server, 5)));
        let answered = calling.join();
        serving.join();
        answered
    })
}

fn check() -> Check {
    Check::new("h2").limits(Limits { timer_slack: Duration::from_millis(5), ..Limits::default() })
}

#[test]
fn requests_are_answered_up_to_the_goaway() {
    check().engine(Engine::Turmoil).schedules(200).run(|| {
        let answered = exchange(3);
        assert!((3..5).contains(&answered), "{answered} answered, of 3 before GOAWAY");
    });
}

#[test]
fn a_goaway_is_told_by_its_name() {
    let failure = check().search(|| panic!("{} answered", exchange(3))).expect_err("it panics");
    assert!(failure.table.contains("GOAWAY last_stream="), "{failure}");
}
