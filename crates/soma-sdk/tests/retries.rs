//! Which requests are sent again, and what is signed again, against a server that answers as it is
//! told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use soma_sdk::api::{Balance, ChainInfo, FeeView, ReceiptStatus, ReceiptView, SubmitResponse};
use soma_sdk::{Client, SecretKey};
use soma_types::{Address, ChainId, Digest, Epoch, Shannons, SignedTransaction, TransactionKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Answer {
    /// Closes the connection.
    Hangs,
    /// An error of the API with this code.
    Error(&'static str),
    /// A success with this body.
    Good(&'static str),
    /// Nothing at all.
    Silence,
}

/// A server that gives `answers` one after the other, the last of them again and again.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head).await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let answer = answers[number.min(answers.len() - 1)];
                let (status, body) = match answer {
                    Answer::Hangs => continue,
                    Answer::Error(code) => (503, format!(r#"{{"code":"{code}","message":"no"}}"#)),
                    Answer::Good(body) => (200, body.to_owned()),
                    Answer::Silence => {
                        tokio::time::sleep(Duration::from_secs(60)).await;
                        continue;
                    }
                };
                let text = format!(
                    "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        Self {
            url,
            requests,
            task,
        }
    }

    fn client(&self, retries: u32) -> Client {
        Client::builder()
            .rpc_url(&self.url)
            .scoring_url(&self.url)
            .faucet_url(&self.url)
            .retries(retries)
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered() {
    let server = Server::start(&[
        Answer::Hangs,
        Answer::Error("Overloaded"),
        Answer::Good("figures"),
    ])
    .await;
    let text = server.client(3).scorer_metrics().await.unwrap();
    assert_eq!((text.as_str(), server.requests()), ("figures", 3));
}

#[tokio::test]
async fn a_read_is_repeated_as_often_as_was_asked_for_and_no_more() {
    let server = Server::start(&[Answer::Error("Overloaded")]).await;
    let error = server.client(2).scorer_metrics().await.unwrap_err();
    assert_eq!((error.name(), server.requests()), ("Overloaded", 3));
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_not_repeated() {
    for (code, name) in [("NotFound", "NotFound"), ("NewError", "NewError")] {
        let answers: &[Answer] = Box::leak(Box::new([Answer::Error(code)]));
        let server = Server::start(answers).await;
        let error = server.client(3).scorer_metrics().await.unwrap_err();
        assert_eq!((error.name(), server.requests()), (name, 1));
    }
    // Not of this API at all.
    let server = Server::start(&[Answer::Good("{")]).await;
    let error = server.client(3).scorer_openapi().await.unwrap_err();
    assert_eq!((error.name(), server.requests()), ("UnexpectedAnswer", 1));
}

#[tokio::test]
async fn what_counts_each_time_is_sent_once() {
    for answers in [&[Answer::Hangs][..], &[Answer::Error("Overloaded")]] {
        let answers: &'static [Answer] = Box::leak(answers.into());
        let server = Server::start(answers).await;
        let asked = server.client(3).request_faucet(Address([1; 32])).await;
        assert!(asked.is_err());
        assert_eq!(server.requests(), 1);
    }
}

fn good(body: &impl serde::Serialize) -> Answer {
    Answer::Good(serde_json::to_string(body).unwrap().leak())
}

fn chain() -> Answer {
    good(&ChainInfo {
        chain: "test".to_owned(),
        chain_id: ChainId([3; 32]),
        genesis_time_ms: 0,
        protocol_version: 1,
        server_version: String::new(),
        api_version: String::new(),
        allow_forced_epochs: false,
    })
}

/// An account whose next transaction on the chain has `nonce`.
fn account(nonce: u64) -> Answer {
    good(&Balance {
        address: Address([1; 32]),
        balance: Shannons(1_000),
        nonce,
        next_nonce: nonce,
        height: 1,
    })
}

fn taken(receipt: Option<ReceiptView>) -> Answer {
    let digest = Digest([2; 32]);
    good(&SubmitResponse { digest, receipt })
}

fn executed() -> Answer {
    taken(Some(ReceiptView {
        transaction: Digest([2; 32]),
        sender: Address([1; 32]),
        height: 2,
        index: 0,
        epoch: Epoch(0),
        status: ReceiptStatus::Success,
        error: None,
        fee: FeeView {
            base: Shannons(1),
            operation: Shannons(0),
            value: Shannons(0),
            total: Shannons(1),
        },
        created: Vec::new(),
        mutated: Vec::new(),
        deleted: Vec::new(),
        balance_changes: Vec::new(),
    }))
}

/// Pays through a node that gives `answers`: the nonces that were signed for, all answers used.
async fn pay(answers: Vec<Answer>) -> Vec<u64> {
    let answers: &'static [Answer] = answers.leak();
    let server = Server::start(answers).await;
    let client = server.client(0);
    let kind = TransactionKind::Transfer {
        recipient: Address([7; 32]),
        amount: Shannons(1),
    };
    let mut nonces = Vec::new();
    let record = |signed: &SignedTransaction| {
        nonces.push(signed.transaction.nonce);
        Ok(())
    };
    let key = SecretKey::generate();
    let receipt = client.sign_and_execute_recorded(&key, kind, record).await;
    assert!(receipt.unwrap().is_success());
    assert_eq!(server.requests(), answers.len());
    nonces
}

#[tokio::test]
async fn what_one_node_dropped_is_not_signed_again_while_another_may_execute_it() {
    let dropped = Answer::Error("NonceInUse");
    let answers = vec![
        chain(),
        account(5),
        taken(None),
        dropped,
        account(5),
        account(6),
        executed(),
    ];
    assert_eq!(pay(answers).await, [5]);
}

#[tokio::test]
async fn what_the_chain_used_the_nonce_without_is_signed_again() {
    let answers = vec![
        chain(),
        account(5),
        Answer::Error("NonceInUse"),
        account(6),
        Answer::Error("NonceTooLow"),
        // No receipt.
        Answer::Error("NotFound"),
        account(6),
        taken(None),
        executed(),
    ];
    assert_eq!(pay(answers).await, [5, 6]);
}

#[tokio::test]
async fn a_deadline_ends_all_tries_together() {
    let server = Server::start(&[Answer::Silence]).await;
    let client = Client::builder()
        .rpc_url(&server.url)
        .scoring_url(&server.url)
        .timeout(Duration::from_millis(200))
        .retries(5)
        .build()
        .unwrap();
    let error = client.scorer_metrics().await.unwrap_err();
    assert_eq!((error.name(), server.requests()), ("Timeout", 1));
}

#[tokio::test]
async fn a_request_that_an_earlier_try_sent_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It takes the first try, and is gone at the second.
    let once = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await.unwrap();
    });
    let client = Client::builder().rpc_url(&url).scoring_url(&url).retries(1);
    let error = client.build().unwrap().scorer_metrics().await.unwrap_err();
    let sent = matches!(error, soma_sdk::SdkError::Transport { sent: true, .. });
    assert!(sent, "{error:?}");
    once.await.unwrap();
}
