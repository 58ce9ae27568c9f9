//! The event stream when connections break.

use soma_sdk::api::EventId;
use soma_sdk::{Client, EventRequest, SdkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads a request's head and answers with a stream of epoch changes at these heights, then
/// breaks the connection.
async fn serve(mut stream: TcpStream, heights: &[u64]) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned();
    for height in heights {
        answer += &format!(
            "id: {height}:0\nevent: epoch_changed\n\
             data: {{\"id\":\"{height}:0\",\"type\":\"epoch_changed\",\"epoch\":{height}}}\n\n"
        );
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

fn at(height: u64) -> EventId {
    EventId { height, index: 0 }
}

#[tokio::test]
async fn a_broken_stream_goes_on_after_the_last_event_without_repeating_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let first = serve(first, &[1, 2]).await;
        let (second, _) = listener.accept().await.unwrap();
        // This one repeats what was sent already.
        let second = serve(second, &[2, 3]).await;
        (first, second)
    });
    let client = Client::builder().rpc_url(url).retries(1).build().unwrap();
    let request = EventRequest {
        from: Some(at(1)),
        ..EventRequest::default()
    };
    let mut events = client.events(request).await.unwrap();
    for height in 1..=3 {
        assert_eq!(events.next().await.unwrap().id, at(height));
    }
    let (first, second) = server.await.unwrap();
    assert!(
        first.contains("from=1%3a0") && !first.contains("last-event-id"),
        "{first}"
    );
    assert!(second.contains("last-event-id: 2:0"), "{second}");

    // The server is gone for good: said so, and the place is kept.
    let error = events.next().await.unwrap_err();
    assert!(matches!(error, SdkError::Transport { .. }), "{error}");
    assert_eq!(events.position(), Some(at(3)));
}
