//! Downloads that succeed: plain ones, resumed ones, redirected ones.

use std::sync::atomic::{AtomicU64, Ordering};

use soma_blobs::{FetchConfig, Fetcher};

use crate::support::{MIB, Place, blob, bytes, config, fetcher};
use crate::web::{Answer, Body, Web};

#[tokio::test]
async fn a_blob_is_fetched_over_http() {
    let content = bytes(3 * MIB + 17);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    let most = AtomicU64::new(0);
    let progress = |bytes| {
        most.fetch_max(bytes, Ordering::SeqCst);
    };
    let blob = blob(web.url("a/b?token=1"), &content);
    let done = fetcher().fetch(&blob, &place.file(), &progress).await;
    assert_eq!(done, Ok(()));
    assert_eq!(place.content(), content);
    assert_eq!(most.into_inner(), blob.size);
    let asked = web.asked();
    assert_eq!((asked.len(), &*asked[0].path), (1, "/a/b?token=1"));
}

#[tokio::test]
async fn a_blob_is_fetched_from_a_host_with_a_name() {
    let content = bytes(1_000);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    let blob = blob(format!("http://localhost:{}/x", web.port()), &content);
    assert_eq!(place.fetch(&fetcher(), &blob).await, Ok(()));
    assert_eq!(place.content(), content);
}

#[tokio::test]
async fn a_blob_is_fetched_from_a_file_where_that_is_allowed() {
    let (content, place) = (bytes(MIB), Place::new());
    let source = place.folder().join("a source");
    std::fs::write(&source, &content).unwrap();
    let url = url::Url::from_file_path(&source).unwrap();
    let blob = blob(url, &content);
    assert_eq!(place.fetch(&fetcher(), &blob).await, Ok(()));
    assert_eq!(place.content(), content);

    let strict = Fetcher::new(FetchConfig::default()).unwrap();
    let error = place.fetch(&strict, &blob).await.unwrap_err();
    assert_eq!(error.name(), "SchemeNotAllowed");
}

#[tokio::test]
async fn an_empty_blob_needs_no_bytes() {
    let place = Place::new();
    let web = Web::new(|_| Answer::whole(b"")).await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), b"")).await,
        Ok(())
    );
    assert_eq!(place.content(), b"");
}

#[tokio::test]
async fn a_broken_download_asks_only_for_the_rest() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared(MIB, &served[..300_000]),
        1 => Answer::rest(&served, asked.offset(), 200_000),
        _ => Answer::rest(&served, asked.offset(), MIB - asked.offset()),
    })
    .await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    let offsets: Vec<usize> = web.asked().iter().map(|asked| asked.offset()).collect();
    assert_eq!(offsets, [0, 300_000, 500_000]);
    assert_eq!(web.sent(), MIB as u64, "no byte came twice");
}

#[tokio::test]
async fn progress_gives_new_tries() {
    let content = bytes(100_000);
    let (served, place) = (content.clone(), Place::new());
    // Ten connections that each break after a tenth; three tries in a row may bring nothing.
    let web = Web::new(move |asked| Answer::rest(&served, asked.offset(), 10_000)).await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    assert_eq!(web.asked().len(), 10);
}

#[tokio::test]
async fn a_server_that_does_not_know_ranges_is_read_from_the_start() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared(MIB, &served[..400_000]),
        _ => Answer::whole(&served),
    })
    .await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    assert_eq!(
        web.asked()[1].offset(),
        400_000,
        "the rest was asked for first"
    );
}

#[tokio::test]
async fn a_server_may_give_less_than_the_range() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    // Some caches answer long ranges in pieces, and are right to do so.
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared(MIB, &served[..100_000]),
        _ => {
            let start = asked.offset();
            let end = (start + 400_000).min(MIB);
            let range = format!("bytes {start}-{}/{MIB}", end - 1);
            let length = (end - start).to_string();
            let headers = [("content-range", &*range), ("content-length", &*length)];
            let body = Body::Bytes(served[start..end].to_vec());
            Answer::new("206 Partial Content", &headers, body)
        }
    })
    .await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    assert_eq!(web.sent(), MIB as u64);
}

#[tokio::test]
async fn what_an_earlier_download_left_is_used() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    std::fs::write(place.file(), &content[..600_000]).unwrap();
    let web =
        Web::new(move |asked| Answer::rest(&served, asked.offset(), MIB - asked.offset())).await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    assert_eq!(web.sent(), MIB as u64 - 600_000);
}

#[tokio::test]
async fn a_wrong_beginning_is_replaced_and_not_held_against_the_blob() {
    for left in [vec![7; 600_000], vec![7; MIB], vec![7; 2 * MIB]] {
        let content = bytes(MIB);
        let (served, place) = (content.clone(), Place::new());
        std::fs::write(place.file(), &left).unwrap();
        let web = Web::new(move |asked| match asked.offset() {
            0 => Answer::whole(&served),
            offset => Answer::rest(&served, offset, MIB - offset),
        })
        .await;
        let done = place.fetch(&fetcher(), &blob(web.url("x"), &content)).await;
        assert_eq!(done, Ok(()), "{} bytes were left", left.len());
        assert_eq!(place.content(), content);
    }
}

#[tokio::test]
async fn bytes_are_taken_as_they_lie_there() {
    // The beginning of a gzip stream; decoding it would fail or change it.
    let content = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &bytes(5_000)].concat();
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| {
        let length = served.len().to_string();
        let headers = [("content-encoding", "gzip"), ("content-length", &*length)];
        Answer::new("200 OK", &headers, Body::Bytes(served.clone()))
    })
    .await;
    assert_eq!(
        place.fetch(&fetcher(), &blob(web.url("x"), &content)).await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    assert_eq!(web.asked()[0].headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn redirects_are_followed() {
    let content = bytes(10_000);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |asked| match &*asked.path {
        "/start" => Answer::redirect("/next"),
        "/next" => Answer::redirect("there/last?a=b"),
        _ => Answer::whole(&served),
    })
    .await;
    assert_eq!(
        place
            .fetch(&fetcher(), &blob(web.url("start"), &content))
            .await,
        Ok(())
    );
    assert_eq!(place.content(), content);
    let paths: Vec<String> = web.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/start", "/next", "/there/last?a=b"]);
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    for status in [
        "429 Too Many Requests",
        "503 Service Unavailable",
        "500 Oops",
        "408 Timeout",
    ] {
        let content = bytes(10_000);
        let (served, place) = (content.clone(), Place::new());
        let web = Web::new(move |asked| match asked.number {
            0 => {
                let headers = [("retry-after", "3600"), ("content-length", "0")];
                Answer::new(status, &headers, Body::Bytes(Vec::new()))
            }
            1 => Answer::status(status),
            _ => Answer::whole(&served),
        })
        .await;
        let fetcher = Fetcher::new(config()).unwrap();
        let done = place.fetch(&fetcher, &blob(web.url("x"), &content)).await;
        assert_eq!(done, Ok(()), "after {status}");
        assert_eq!(web.asked().len(), 3);
    }
}
