//! The description of the API is a file of the documentation.

use std::path::Path;

use soma_scoring::service::openapi_json;

#[test]
fn the_description_in_the_documentation_is_current() {
    let path =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/api/scorer.json");
    let current = format!("{}\n", openapi_json());
    if std::env::var_os("SOMA_UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &current).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == current,
        "docs/api/scorer.json is old; run the tests once with SOMA_UPDATE_DOCS=1"
    );
}
