//! Servers that dawdle, fail or are not there. Each takes bounded time.

use std::time::Duration;

use soma_blobs::{BlobError, FetchConfig};

use crate::hostile::failure;
use crate::support::{MIB, Place, blob, bytes, config, fetcher};
use crate::web::{Answer, Body, Web};

#[tokio::test]
async fn a_trickling_server_is_too_slow() {
    let pause = Duration::from_millis(20);
    let web = Web::new(move |_| Answer::declared_with(MIB, Body::Trickle(pause))).await;
    let config = FetchConfig {
        base_time: Duration::from_millis(500),
        slowest: 1 << 30,
        ..config()
    };
    let (error, place) = failure(&web, &bytes(MIB), config).await;
    let BlobError::TooSlow { bytes, size, .. } = &error else {
        panic!("{error}");
    };
    assert!(*bytes > 0 && *bytes < 1_000, "{error}");
    assert_eq!(*size, 1 << 20);
    assert!(!error.is_own());
    let kept = place.content().len() as u64;
    assert_eq!(kept, *bytes, "a later call goes on from there");
}

#[tokio::test]
async fn a_trickling_head_is_too_slow() {
    let web = Web::new(|_| Answer {
        head: "HTTP/1.1 200 OK\r\nx-padding: ".to_owned(),
        body: Body::Trickle(Duration::from_millis(20)),
    })
    .await;
    let config = FetchConfig {
        base_time: Duration::from_millis(500),
        slowest: 1 << 30,
        ..config()
    };
    let (error, _) = failure(&web, &bytes(MIB), config).await;
    assert_eq!(error.name(), "TooSlow", "{error}");
}

#[tokio::test]
async fn a_silent_server_is_unavailable() {
    let web = Web::new(|_| Answer::declared_with(MIB, Body::Silence)).await;
    let config = FetchConfig {
        idle_timeout: Duration::from_millis(200),
        ..config()
    };
    let (error, _) = failure(&web, &bytes(MIB), config).await;
    let BlobError::Unavailable { tries, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*tries, web.asked().len()), (3, 3));
}

#[tokio::test]
async fn a_server_that_fails_for_good_is_asked_once() {
    for status in [
        "404 Not Found",
        "410 Gone",
        "403 Forbidden",
        "400 Bad Request",
        "204 No Content",
    ] {
        let web = Web::new(move |_| Answer::status(status)).await;
        let (error, _) = failure(&web, &bytes(MIB), config()).await;
        assert_eq!(error.name(), "Unavailable", "{status}: {error}");
        assert!(error.to_string().contains(&status[..3]), "{error}");
        let is_private = error.to_string().contains("let everybody read it");
        assert_eq!(is_private, status.starts_with("403"), "{error}");
        assert_eq!(web.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_stays_down_is_given_up() {
    let web = Web::new(|_| Answer::status("503 Service Unavailable")).await;
    let (error, _) = failure(&web, &bytes(MIB), config()).await;
    let BlobError::Unavailable { tries, reason, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*tries, web.asked().len()), (3, 3));
    assert!(reason.contains("503"), "{reason}");
    assert!(!error.is_own());
}

#[tokio::test]
async fn a_server_that_asks_to_wait_longer_than_there_is_time_is_unavailable() {
    let web = Web::new(|_| {
        let headers = [("retry-after", "3600"), ("content-length", "0")];
        Answer::new("429 Too Many Requests", &headers, Body::Bytes(Vec::new()))
    })
    .await;
    let config = FetchConfig {
        base_time: Duration::from_secs(30),
        longest_pause: Duration::from_secs(60),
        ..config()
    };
    let (error, _) = failure(&web, &bytes(MIB), config).await;
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(error.to_string().contains("429"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let web = Web::new(|_| Answer::whole(b"")).await;
    let content = bytes(100);
    let gone = blob(web.url("x"), &content);
    drop(web);
    tokio::task::yield_now().await;
    let error = Place::new().fetch(&fetcher(), &gone).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(!error.is_own(), "a server that refuses is the blob's");
}

#[tokio::test]
async fn nonsense_instead_of_http_is_unavailable() {
    let web = Web::new(|_| Answer {
        head: "\0\u{1}\u{2} nonsense".to_owned(),
        body: Body::Bytes(bytes(10_000)),
    })
    .await;
    let (error, _) = failure(&web, &bytes(100), config()).await;
    assert_eq!(error.name(), "Unavailable", "{error}");
}
