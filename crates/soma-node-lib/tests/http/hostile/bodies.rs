//! Hostile values of fields, and bodies of another shape.

use serde_json::Value;
use soma_api::{Base64, ErrorCode};

use super::{Operation, operations};
use crate::net::{Net, transfer};
use crate::raw::{Request, send};

/// JSON values, and texts that only look like some.
fn hostile_values() -> Vec<String> {
    let fixed = [
        "null",
        "true",
        "0",
        "-0",
        "-1",
        "1.5",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "1e400",
        "-1e400",
        "1e-400",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "01",
        "\"\"",
        "\"x\"",
        "\"=\"",
        "\"AAAA\"",
        "\"AAA\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83e\\udd80\"",
        "\"0x\"",
        "\"NaN\"",
        "'x'",
        "[]",
        "{}",
        "[1,2,3]",
        "{\"a\":1}",
        "undefined",
        "/* */ 1",
        "\"unterminated",
        "",
    ];
    let mut values: Vec<String> = fixed.map(str::to_owned).into();
    values.extend([
        nested("[", "]", 10_000),
        nested("{\"a\":", "}", 10_000),
        "[".repeat(10_000),
        "9".repeat(3_000),
        format!("0.{}", "1".repeat(3_000)),
        format!("\"{}\"", "A".repeat(3_000)),
        format!("\"0x{}\"", "f".repeat(62)),
    ]);
    values
}

pub(super) fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

pub(super) fn with_bodies(net: &Net) -> Vec<(Operation, Value)> {
    let found: Vec<_> = operations(net)
        .into_iter()
        .filter_map(|operation| operation.body.clone().map(|schema| (operation, schema)))
        .collect();
    assert_eq!(found.len(), 3, "send, simulate, faucet");
    found
}

/// A body that is taken: each required field with a good value, and `text` in place of `changed`.
pub(super) fn body_with(
    net: &Net,
    operation: &Operation,
    schema: &Value,
    changed: &str,
    text: &str,
) -> String {
    let required = schema["required"].as_array().unwrap();
    let names = required.iter().map(|name| name.as_str().unwrap());
    let mut fields: Vec<String> = names
        .filter(|name| *name != changed)
        .map(|name| format!("\"{name}\":{}", good_value(net, operation, name)))
        .collect();
    if !changed.is_empty() {
        fields.push(format!("\"{changed}\":{text}"));
    }
    format!("{{{}}}", fields.join(","))
}

fn good_value(net: &Net, operation: &Operation, name: &str) -> String {
    let key = net.key(1);
    let signed = net.api.sign(key, 0, transfer(key.address(), 1));
    let text = match (operation.path.as_str(), name) {
        ("/v1/transactions", "transaction") => serde_json::to_string(&Base64::encode(&signed)),
        (_, "transaction") => serde_json::to_string(&Base64::encode(&signed.transaction)),
        (_, "address") => serde_json::to_string(&key.address()),
        other => panic!("a good value of {other:?} is missing in this test"),
    };
    text.unwrap()
}

#[tokio::test]
async fn hostile_values_of_every_field_are_refused_with_types() {
    let net = Net::start().await;
    for (operation, schema) in with_bodies(&net) {
        let (address, path) = (operation.address, &operation.path);
        let good = body_with(&net, &operation, &schema, "", "");
        let taken = send(address, &Request::post(path.as_str(), good)).await;
        assert!(taken.is_success(), "{taken:?}");
        let required = schema["required"].as_array().unwrap();
        for name in schema["properties"].as_object().unwrap().keys() {
            let is_required = required.iter().any(|field| field == name.as_str());
            for value in hostile_values() {
                let body = body_with(&net, &operation, &schema, name, &value);
                let answer = send(address, &Request::post(path.as_str(), body)).await;
                let code = answer.typed();
                // No value of the list is an address or a transaction; some are times to wait.
                assert!(
                    !is_required || code.is_some(),
                    "{path}: {name} = {value:.40}"
                );
                if !is_required && value.parse::<u64>().is_err() && value != "null" {
                    assert_eq!(code, Some(ErrorCode::InvalidJson), "{name} = {value:.40}");
                }
            }
        }
    }
    net.finish().await;
}

#[tokio::test]
async fn bodies_of_another_shape_are_refused_with_types() {
    let net = Net::start().await;
    for (operation, schema) in with_bodies(&net) {
        let (address, path) = (operation.address, operation.path.as_str());
        let good = body_with(&net, &operation, &schema, "", "");
        let mut bodies: Vec<Vec<u8>> = hostile_values().into_iter().map(Into::into).collect();
        bodies.extend([
            b" ".to_vec(),
            vec![0; 100],
            vec![0xff; 100],
            b"{".repeat(100),
            format!("{good}{good}").into_bytes(),
            format!("\u{feff}{good}").into_bytes(),
            format!("[{good}]").into_bytes(),
            good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            good[..good.len() - 1].into(),
            body_with(&net, &operation, &schema, "unknown", "1").into_bytes(),
            body_with(&net, &operation, &schema, "__proto__", "{}").into_bytes(),
        ]);
        for name in schema["required"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            let value = good_value(&net, &operation, name);
            bodies.push(good.replace(name, "another").into_bytes());
            bodies.push(format!("{{\"{name}\":{value},\"{name}\":{value}}}").into_bytes());
            let raw = [b"{\"", name.as_bytes(), b"\":\"\xff\xfe\"}"].concat();
            bodies.push(raw);
        }
        for body in bodies {
            let code = match body.len() > operation.max_body {
                true => ErrorCode::BodyTooLarge,
                false => ErrorCode::InvalidJson,
            };
            let answer = send(address, &Request::post(path, body)).await;
            answer.error(code);
        }
    }
    net.finish().await;
}
