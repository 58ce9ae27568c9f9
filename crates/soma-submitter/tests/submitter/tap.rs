//! A way to the node on which a test has a hand.

use std::future::Future;

use soma_sdk::{Account, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::world::World;

/// An address that leads to the node while this is there.
pub(crate) struct Tap {
    url: String,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    /// Tells `answered` the first line of every request when its answer is there. The answer comes
    /// through after that; where it gives false, the line is cut instead.
    pub(crate) async fn open<F, R>(world: &World, answered: F) -> Self
    where
        F: Fn(String) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let node = world.client.rpc_url().trim_start_matches("http://");
        let node = node.to_owned();
        let task = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(&node).await.unwrap();
                lines.spawn(lead(near, far, answered.clone()));
            }
        });
        Self { url, task }
    }

    /// An account that reaches the node by this way, and tries nothing again by itself.
    pub(crate) fn account(&self, world: &World, like: &Account) -> Account {
        let client = Client::builder()
            .rpc_url(self.url.clone())
            .scoring_url(world.network.scorer_url().unwrap())
            .retries(0);
        client.build().unwrap().account(like.key().clone())
    }
}

async fn lead<F, R>(mut near: TcpStream, mut far: TcpStream, answered: F)
where
    F: Fn(String) -> R,
    R: Future<Output = bool>,
{
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut asked = None;
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                let text = String::from_utf8_lossy(&up[..read]);
                if text.starts_with("GET ") || text.starts_with("POST ") {
                    asked = text.lines().next().map(str::to_owned);
                }
                if far.write_all(&up[..read]).await.is_err() {
                    return;
                }
            }
            read = far.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                if let Some(line) = asked.take()
                    && !answered(line).await
                {
                    return;
                }
                if near.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
