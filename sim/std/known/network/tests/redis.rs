//! The protocol of redis: mini-redis, the crate `redis` and its multiplexed connection, and the pools bb8 and
//! deadpool.

mod exchange;

use std::io;
use std::net::SocketAddr;

use mini_redis::client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn mini_redis_server() -> SocketAddr {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(mini_redis::server::run(listener, std::future::pending::<()>()));
    address
}

#[tokio::test]
async fn mini_redis_set_and_get() {
    let address = mini_redis_server().await;
    let got = exchange::result(async {
        let mut connection = client::connect(address).await?;
        connection.set("key", "value".into()).await?;
        connection.get("key").await
    });
    if let Some(value) = got.await {
        assert_eq!(value.as_deref(), Some(b"value".as_slice()));
    }
}

#[tokio::test]
async fn mini_redis_publish_and_subscribe() {
    let address = mini_redis_server().await;
    let got = exchange::result(async {
        let mut subscriber = client::connect(address).await?.subscribe(vec![String::from("channel")]).await?;
        let mut publisher = client::connect(address).await?;
        publisher.publish("channel", "message".into()).await?;
        subscriber.next_message().await
    });
    if let Some(message) = got.await {
        // A half-close of the connection ends the subscription.
        assert!(message.is_some_and(|message| message.content == "message") || std::env::var_os("FAULTS").is_some());
    }
}

/// Answers each command with `+OK`.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        let commands = buffer[..count].iter().filter(|byte| **byte == b'*').count();
        if count == 0 {
            return Ok(());
        }
        stream.write_all("+OK\r\n".repeat(commands).as_bytes()).await?;
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream));
    }
}

#[tokio::test]
async fn two_commands_on_one_multiplexed_connection() {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(serve(listener));
    let client = redis::Client::open(format!("redis://{address}/")).unwrap();
    let Some(connection) = exchange::result(client.get_multiplexed_async_connection()).await else { return };
    let commands = ["a", "b"].map(|key| {
        let mut connection = connection.clone();
        tokio::spawn(async move {
            let set = redis::cmd("SET").arg(key).arg(1).to_owned();
            exchange::result(set.query_async::<String>(&mut connection)).await
        })
    });
    for command in commands {
        if let Some(answer) = command.await.unwrap() {
            assert_eq!(answer, "OK");
        }
    }
}

/// Opens connections to the server of `+OK`.
struct Connections(SocketAddr);

impl bb8::ManageConnection for Connections {
    type Connection = TcpStream;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.0).await
    }

    async fn is_valid(&self, _: &mut TcpStream) -> io::Result<()> {
        Ok(())
    }

    fn has_broken(&self, _: &mut TcpStream) -> bool {
        false
    }
}

/// A command to the server of `+OK`, and its answer.
async fn exchanges(connection: &mut TcpStream) -> io::Result<[u8; 5]> {
    connection.write_all(b"*1\r\n").await?;
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn three_tasks_share_two_connections_of_bb8() {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(serve(listener));
    let built = bb8::Pool::builder().max_size(2).build(Connections(address));
    let Some(pool) = exchange::result(built).await else { return };
    let users = [(); 3].map(|()| {
        let pool = pool.clone();
        tokio::spawn(exchange::result(async move {
            let mut connection = pool.get().await.map_err(|error| error.to_string())?;
            exchanges(&mut connection).await.map_err(|error| error.to_string())
        }))
    });
    for user in users {
        if let Some(answer) = user.await.unwrap() {
            assert_eq!(&answer, b"+OK\r\n");
        }
    }
}

impl deadpool::managed::Manager for Connections {
    type Type = TcpStream;
    type Error = io::Error;

    async fn create(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.0).await
    }

    async fn recycle(
        &self,
        _: &mut TcpStream,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<io::Error> {
        Ok(())
    }
}

#[tokio::test]
async fn three_tasks_share_two_connections_of_deadpool() {
    let (listener, address) = exchange::listener().await;
    tokio::spawn(serve(listener));
    let pool = deadpool::managed::Pool::<Connections>::builder(Connections(address)).max_size(2).build().unwrap();
    let users = [(); 3].map(|()| {
        let pool = pool.clone();
        tokio::spawn(exchange::result(async move {
            let mut connection = pool.get().await.map_err(|error| error.to_string())?;
            exchanges(&mut connection).await.map_err(|error| error.to_string())
        }))
    });
    for user in users {
        if let Some(answer) = user.await.unwrap() {
            assert_eq!(&answer, b"+OK\r\n");
        }
    }
}
