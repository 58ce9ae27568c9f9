//! Every documented route of API, faucet and admin against bad input: each answer is a success or
//! a typed error below 500, and the node works on.

mod bodies;
mod framing;
mod memory;
mod routes;
mod texts;

use std::net::SocketAddr;

use serde_json::Value;

use crate::description::{documents, resolve};
use crate::net::Net;

/// A method of a route, as its document tells.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// The service.
    pub(crate) address: SocketAddr,
    /// In capitals.
    pub(crate) method: String,
    /// With its parameters in braces.
    pub(crate) path: String,
    /// Where each parameter stands, and its name.
    pub(crate) parameters: Vec<(String, String)>,
    /// The schema of the body.
    pub(crate) body: Option<Value>,
    /// The most bytes that a body may have.
    pub(crate) max_body: usize,
}

impl Operation {
    /// Names of the parameters that stand in `place`.
    pub(crate) fn names<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a str> {
        let here = self.parameters.iter().filter(move |(at, _)| at == place);
        here.map(|(_, name)| name.as_str())
    }

    /// The path with good values, and `text` in place of the parameter `name`.
    pub(crate) fn path_with(&self, name: &str, text: &str) -> String {
        self.names("path").fold(self.path.clone(), |path, known| {
            let value = if known == name { text } else { good(known) };
            path.replace(&format!("{{{known}}}"), value)
        })
    }

    /// The path with good values.
    pub(crate) fn good_path(&self) -> String {
        self.path_with("", "")
    }
}

/// A value that a path parameter may have.
fn good(name: &str) -> &'static str {
    match name {
        "block" => "latest",
        "epoch" | "index" => "0",
        "kind" => "account",
        "address" | "digest" | "id" | "model" => {
            "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
        }
        other => panic!("a good value of `{other}` is missing in this test"),
    }
}

/// All operations of all services.
pub(crate) fn operations(net: &Net) -> Vec<Operation> {
    let services = [
        (net.api.address, 1 << 20),
        (net.faucet(), 4_096),
        (net.admin(), 4_096),
    ];
    let mut found = Vec::new();
    for ((name, text), (address, max_body)) in documents().into_iter().zip(services) {
        let document: Value = serde_json::from_str(text).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let body = operation.pointer("/requestBody/content/application~1json/schema");
                found.push(Operation {
                    address,
                    method: method.to_uppercase(),
                    path: path.clone(),
                    parameters: parameters
                        .map(|p| (text(&p["in"]), text(&p["name"])))
                        .collect(),
                    body: body.map(|schema| resolve(schema, &document, name).clone()),
                    max_body,
                });
            }
        }
    }
    found
}
