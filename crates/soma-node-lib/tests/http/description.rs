//! The documents of the API: kept in `docs/api`, current, and complete.

use std::path::Path;

use serde_json::Value;
use soma_node::{admin, faucet, rpc};

/// File name and text of each service's document.
pub(crate) fn documents() -> [(&'static str, &'static str); 3] {
    [
        ("openapi.json", rpc::openapi_json()),
        ("faucet.json", faucet::openapi_json()),
        ("admin.json", admin::openapi_json()),
    ]
}

/// Set to 1, the variable makes the first test below write the files.
const UPDATE: &str = "SOMA_UPDATE_DOCS";

#[test]
fn the_documents_of_the_api_are_current() {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/api");
    for (name, text) in documents() {
        let path = folder.join(name);
        let made = format!("{text}\n");
        if std::env::var(UPDATE).as_deref() == Ok("1") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored.replace("\r\n", "\n") == made,
            "docs/api/{name} is not what the code describes; write it anew with \
             `{UPDATE}=1 cargo test -p soma-node-lib --test http documents`"
        );
    }
}

#[test]
fn every_operation_says_what_it_does_takes_and_answers() {
    let mut count = 0;
    for (name, text) in documents() {
        let document: Value = serde_json::from_str(text).unwrap();
        let tags: Vec<_> = list(&document["tags"]).iter().map(|t| &t["name"]).collect();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let about = format!("{name}: {method} {path}");
                assert_sentence(&operation["summary"], &about);
                let tag = &list(&operation["tags"])[0];
                assert!(tags.contains(&tag), "{about}: unknown tag {tag}");
                assert_parameters(operation, path, &about);
                assert_answers(operation, &document, &about);
                if method == "post" && !path.contains("/admin/") {
                    let body = &operation["requestBody"]["content"]["application/json"];
                    resolve(&body["schema"], &document, &about);
                }
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} operations");
}

#[test]
fn every_reference_points_to_a_shape() {
    for (name, text) in documents() {
        let document: Value = serde_json::from_str(text).unwrap();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(map) if map.contains_key("$ref") => {
                    resolve(value, &document, name);
                }
                Value::Object(map) => open.extend(map.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}

#[test]
fn every_field_of_every_shape_is_described() {
    for (name, text) in documents() {
        let document: Value = serde_json::from_str(text).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (shape, schema) in schemas {
            let about = format!("{name}: {shape}");
            assert!(
                schema["description"].is_string() || shape.starts_with("Page_"),
                "{about} has no description"
            );
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                // A reference is described where it points to, an optional one in its choice.
                let choices = list(&schema["oneOf"]).iter().chain([schema]);
                let mut words = choices.flat_map(|part| [&part["description"], &part["$ref"]]);
                let is_known = words.any(Value::is_string);
                assert!(is_known, "{about}.{field} has no description");
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn assert_sentence(value: &Value, about: &str) {
    let text = value.as_str().unwrap_or_default();
    assert!(text.len() > 10, "{about}: `{text}`");
    assert!(text.starts_with(char::is_alphanumeric), "{about}: `{text}`");
}

fn assert_parameters(operation: &Value, path: &str, about: &str) {
    let parameters = list(&operation["parameters"]);
    let in_path = parameters.iter().filter(|p| p["in"] == "path");
    assert_eq!(in_path.count(), path.matches('{').count(), "{about}");
    for parameter in parameters {
        let name = &parameter["name"];
        let text = parameter["description"].as_str().unwrap_or_default();
        assert!(text.len() > 5, "{about}: parameter {name}: `{text}`");
        assert!(parameter["schema"].is_object(), "{about}: {name}");
        let is_in_path = parameter["in"] == "path";
        assert_eq!(parameter["required"] == true, is_in_path, "{about}: {name}");
    }
}

fn assert_answers(operation: &Value, document: &Value, about: &str) {
    let answers = &operation["responses"];
    assert!(answers["200"].is_object(), "{about}");
    let error = &answers["default"]["content"]["application/json"]["schema"];
    let error = resolve(error, document, about);
    for field in ["code", "message", "details"] {
        assert!(error["properties"][field].is_object(), "{about}: {field}");
    }
}

/// What a reference stands for.
pub(crate) fn resolve<'a>(schema: &'a Value, document: &'a Value, about: &str) -> &'a Value {
    let Some(reference) = schema["$ref"].as_str() else {
        assert!(schema.is_object(), "{about}: no schema");
        return schema;
    };
    let found = document.pointer(reference.trim_start_matches('#'));
    found.unwrap_or_else(|| panic!("{about}: {reference} points nowhere"))
}
