//! Which places a fetch may lead to, on every step of the way.

use std::net::{Ipv4Addr, Ipv6Addr};

use soma_blobs::{AddressPolicy, BlobError, FetchConfig, Fetcher};

use crate::support::{Place, blob, bytes, config, fetcher};
use crate::web::{Answer, Web};

/// Public addresses and 127.0.0.1: the first server of a test counts as public.
fn strict() -> Fetcher {
    let policy = AddressPolicy {
        allow_private: false,
        also: vec![Ipv4Addr::LOCALHOST.into()],
    };
    Fetcher::new(FetchConfig { policy, ..config() }).unwrap()
}

async fn refusal(url: &str) -> BlobError {
    let blob = blob(url, b"whatever");
    Place::new().fetch(&strict(), &blob).await.unwrap_err()
}

#[tokio::test]
async fn an_address_inside_is_refused_before_it_is_connected_to() {
    let content = bytes(100);
    let served = content.clone();
    let inside = Web::at([127, 0, 0, 2], move |_| Answer::whole(&served)).await;
    let error = refusal(&inside.url("x")).await;
    assert_eq!(error.name(), "AddressNotAllowed", "{error}");
    assert!(inside.asked().is_empty());

    let done = Place::new()
        .fetch(&fetcher(), &blob(inside.url("x"), &content))
        .await;
    assert_eq!(done, Ok(()), "a localnet may go there");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    let policy = AddressPolicy::default();
    let fetcher = Fetcher::new(FetchConfig { policy, ..config() }).unwrap();
    let inside = Web::new(|_| Answer::whole(b"secret")).await;
    let url = format!("http://localhost:{}/x", inside.port());
    let error = Place::new()
        .fetch(&fetcher, &blob(url, b"secret"))
        .await
        .unwrap_err();
    assert_eq!(error.name(), "AddressNotAllowed", "{error}");
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    let inside_v4 = Web::at([127, 0, 0, 2], |_| Answer::whole(b"secret")).await;
    let inside_v6 = Web::at(Ipv6Addr::LOCALHOST, |_| Answer::whole(b"secret")).await;
    let mapped = format!("http://[::ffff:127.0.0.2]:{}/", inside_v4.port());
    for target in [inside_v4.url(""), inside_v6.url(""), mapped] {
        let to = target.clone();
        let web = Web::new(move |_| Answer::redirect(&to)).await;
        let error = refusal(&web.url("x")).await;
        assert_eq!(error.name(), "AddressNotAllowed", "{target}: {error}");
        assert_eq!(web.asked().len(), 1);
    }
    assert!(inside_v4.asked().is_empty() && inside_v6.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_to_another_scheme_is_refused() {
    let place = Place::new();
    let secret = place.folder().join("secret");
    std::fs::write(&secret, b"whatever").unwrap();
    let file = url::Url::from_file_path(&secret).unwrap().to_string();
    for target in [
        &*file,
        "s3://bucket/key",
        "ftp://a.example/x",
        "gopher://a/1",
    ] {
        let to = target.to_owned();
        let web = Web::new(move |_| Answer::redirect(&to)).await;
        // Even where a file may be named by the URL itself.
        let error = place
            .fetch(&fetcher(), &blob(web.url("x"), b"whatever"))
            .await
            .unwrap_err();
        assert_eq!(error.name(), "SchemeNotAllowed", "{target}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_with_a_password_is_refused() {
    let web = Web::new(|_| Answer::redirect("http://me:hunter2@127.0.0.1/")).await;
    let error = refusal(&web.url("x")).await;
    assert_eq!(error.name(), "InvalidUrl", "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn redirects_end() {
    let turns = Web::new(|asked| match &*asked.path {
        "/a" => Answer::redirect("/b"),
        _ => Answer::redirect("/a"),
    })
    .await;
    let error = refusal(&turns.url("a")).await;
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(error.to_string().contains("redirects"), "{error}");
    assert_eq!(
        turns.asked().len(),
        6,
        "the first request and five redirects"
    );

    let nowhere = Web::new(|_| Answer::status("302 Found")).await;
    let error = refusal(&nowhere.url("a")).await;
    assert_eq!(error.name(), "InvalidUrl", "{error}");
}

#[tokio::test]
async fn urls_that_are_none_are_refused() {
    // Hosts of this machine only: were one of them let through, nothing would leave it.
    for (url, name) in [
        ("not a url", "InvalidUrl"),
        ("http://", "InvalidUrl"),
        ("http://me:you@127.0.0.1/x", "InvalidUrl"),
        ("ftp://127.0.0.1/x", "SchemeNotAllowed"),
        ("s3://bucket/key", "SchemeNotAllowed"),
        ("data:,x", "SchemeNotAllowed"),
        ("http://2130706434/x", "AddressNotAllowed"),
        ("http://0/x", "AddressNotAllowed"),
        ("http://[::1]/x", "AddressNotAllowed"),
        ("http://[::ffff:127.0.0.2]/x", "AddressNotAllowed"),
    ] {
        let error = refusal(url).await;
        assert_eq!(error.name(), name, "{url}: {error}");
    }
}

#[test]
fn services_of_the_clouds_hosts_are_not_public() {
    let policy = AddressPolicy::default();
    for text in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "2002:a83f:8110::1",
    ] {
        assert!(!policy.allows(text.parse().unwrap()), "{text}");
    }
}
