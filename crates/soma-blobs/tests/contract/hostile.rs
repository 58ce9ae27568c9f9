//! Servers that lie about what they have. Each gets its own error, and takes bounded room.

use soma_blobs::{BlobError, FetchConfig, Fetcher};

use crate::support::{MIB, Place, blob, bytes, config};
use crate::web::{Answer, Body, Web};

pub(crate) async fn failure(web: &Web, content: &[u8], config: FetchConfig) -> (BlobError, Place) {
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
    assert!(web.asked().len() <= 4, "asked {} times", web.asked().len());
}

#[tokio::test]
async fn a_server_that_knows_its_blob_is_shorter_is_believed() {
    let content = bytes(5_000);
    let short = content[..4_000].to_vec();
    let web = Web::new(move |asked| match asked.offset() {
        0 => Answer::new("200 OK", &[], Body::Bytes(short.clone())),
        _ => {
            let headers = [("content-range", "bytes */4000"), ("content-length", "0")];
            Answer::new(
                "416 Range Not Satisfiable",
                &headers,
                Body::Bytes(Vec::new()),
            )
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
