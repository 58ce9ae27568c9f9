//! An S3-compatible server for tests in other languages: `s3_server FOLDER` prints one line of JSON
//! with its address and keys, and runs until its input ends.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::path::PathBuf;

use soma_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};

#[tokio::main]
async fn main() {
    let folder = std::env::args_os().nth(1).expect("s3_server FOLDER");
    let server = S3Server::start(&PathBuf::from(folder)).await;
    let mut out = std::io::stdout();
    writeln!(
        out,
        r#"{{"endpoint":"{}","bucket":"{BUCKET}","access_key_id":"{ACCESS_KEY_ID}","secret_access_key":"{SECRET_ACCESS_KEY}"}}"#,
        server.endpoint()
    )
    .and_then(|()| out.flush())
    .expect("somebody who reads");
    // Whoever started this ends it by closing its input, or by ending.
    let wait = tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    let _ = wait.await;
}
