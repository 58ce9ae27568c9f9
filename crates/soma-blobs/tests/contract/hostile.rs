//! Servers that lie, dawdle or never end. Each gets its own error, and takes bounded room and time.

use std::time::Duration;

use soma_blobs::{BlobError, FetchConfig, Fetcher};

use crate::support::{MIB, Place, blob, bytes, config, fetcher};
use crate::web::{Answer, Body, Web};

async fn failure(web: &Web, content: &[u8], config: FetchConfig) -> (BlobError, Place) {
    let place = Place::new();
    let fetcher = Fetcher::new(config).unwrap();
    let error = place.fetch(&fetcher, &blob(web.url("x"), content)).await;
    (error.unwrap_err(), place)
}

#[tokio::test]
async fn a_shorter_blob_has_the_wrong_size() {
    let content = bytes(MIB);
    let short = content[..MIB - 1].to_vec();
    let web = Web::new(move |_| Answer::whole(&short)).await;
    let (error, place) = failure(&web, &content, config()).await;
    let BlobError::SizeMismatch { expected, got, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*expected, &**got), (1_048_576, "1048575"));
    assert!(!error.is_own());
    assert!(!place.file().exists(), "it is of no use to a later call");
    assert_eq!(web.asked().len(), 1, "more tries would not help");
}

#[tokio::test]
async fn a_shorter_blob_in_chunks_has_the_wrong_size() {
    let content = bytes(5_000);
    let short = content[..0x1000].to_vec();
    let web = Web::new(move |asked| match asked.offset() {
        0 => {
            let chunked = [b"1000\r\n", &short[..], b"\r\n0\r\n\r\n"].concat();
            let headers = [("transfer-encoding", "chunked")];
            Answer::new("200 OK", &headers, Body::Bytes(chunked))
        }
        _ => Answer::status("416 Range Not Satisfiable"),
    })
    .await;
    let (error, _) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "SizeMismatch", "{error}");
    assert_eq!(web.asked().len(), 1, "a last chunk is the end for sure");
}

#[tokio::test]
async fn a_shorter_blob_without_a_length_is_given_up_after_some_tries() {
    let content = bytes(5_000);
    let short = content[..4_000].to_vec();
    // Without a length, the end looks like a broken connection.
    let web = Web::new(move |asked| match asked.offset() {
        0 => Answer::new("200 OK", &[], Body::Bytes(short.clone())),
        _ => Answer::status("416 Range Not Satisfiable"),
    })
    .await;
    let (error, _) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(!error.is_own());
    assert!(
        web.asked().len() <= 4,
        "asked {} times",
        web.asked().len()
    );
}

#[tokio::test]
async fn a_server_that_knows_its_blob_is_shorter_is_believed() {
    let content = bytes(5_000);
    let short = content[..4_000].to_vec();
    let web = Web::new(move |asked| match asked.offset() {
        0 => Answer::new("200 OK", &[], Body::Bytes(short.clone())),
        _ => {
            let headers = [("content-range", "bytes */4000"), ("content-length", "0")];
            Answer::new("416 Range Not Satisfiable", &headers, Body::Bytes(Vec::new()))
        }
    })
    .await;
    let (error, _) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "SizeMismatch", "{error}");
}

#[tokio::test]
async fn a_longer_blob_has_the_wrong_size() {
    let content = bytes(MIB);
    let long = [&content[..], b"!"].concat();
    let web = Web::new(move |_| Answer::whole(&long)).await;
    let (error, place) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "SizeMismatch", "{error}");
    assert!(!place.file().exists());
    assert_eq!(web.asked().len(), 1);
}

#[tokio::test]
async fn an_endless_body_stops_at_the_size() {
    let web = Web::new(|_| Answer::new("200 OK", &[], Body::Endless)).await;
    let (error, place) = failure(&web, &bytes(MIB), config()).await;
    assert_eq!(error.name(), "SizeMismatch", "{error}");
    assert!(!place.file().exists());
    // The size, and what fits into the buffers of both ends.
    assert!(web.sent() < 32 << 20, "{} bytes were sent", web.sent());
}

#[tokio::test]
async fn an_endless_answer_to_a_range_stops_at_the_size() {
    let content = bytes(MIB);
    let first = content[..400_000].to_vec();
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared(MIB, &first),
        _ => {
            let headers = [("content-range", "bytes 400000-1048575/1048576")];
            Answer::new("206 Partial Content", &headers, Body::Endless)
        }
    })
    .await;
    let (error, _) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "SizeMismatch", "{error}");
}

#[tokio::test]
async fn other_bytes_have_the_wrong_checksum() {
    let content = bytes(MIB);
    let mut other = content.clone();
    other[777_777] ^= 1;
    let expected_got = soma_crypto::checksum(&other);
    let web = Web::new(move |_| Answer::whole(&other)).await;
    let (error, place) = failure(&web, &content, config()).await;
    let BlobError::ChecksumMismatch { expected, got, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*expected, soma_crypto::checksum(&content));
    assert_eq!(*got, expected_got);
    assert!(!error.is_own());
    assert!(!place.file().exists());
}

#[tokio::test]
async fn a_trickling_server_is_too_slow() {
    let pause = Duration::from_millis(20);
    let web =
        Web::new(move |_| Answer::declared_with(MIB, Body::Trickle(pause))).await;
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

#[tokio::test]
async fn an_answer_to_another_range_is_not_taken() {
    let content = bytes(MIB);
    let served = content.clone();
    // Always bytes 1000 and on, whatever is asked for.
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared(MIB, &served[..400_000]),
        _ => Answer::rest(&served, 1_000, MIB - 1_000),
    })
    .await;
    let (error, _) = failure(&web, &content, config()).await;
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(web.asked().len() <= 4, "asked {} times", web.asked().len());
}

#[tokio::test]
async fn a_size_beyond_all_measure_breaks_nothing() {
    let web = Web::new(|_| Answer::whole(b"few bytes")).await;
    let mut blob = blob(web.url("x"), b"few bytes");
    blob.size = u64::MAX;
    let config = FetchConfig {
        slowest: 0,
        ..config()
    };
    let fetcher = Fetcher::new(config).unwrap();
    let error = Place::new().fetch(&fetcher, &blob).await.unwrap_err();
    assert_eq!(error.name(), "SizeMismatch", "{error}");
}
