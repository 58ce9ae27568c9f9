//! Exceptions: one class for each stable error name, all below `SomaError`.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::CString;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use serde_json::Value;
use soma_api::ErrorCode;
use soma_sdk::SdkError;
use soma_sdk::blobs::BlobError;
use soma_types::ExecutionError;

use crate::convert::to_python;

/// The class above all others; its name is that of errors this build does not know, too.
const BASE: &str = "SomaError";

/// What only this package raises.
const OWN: &[&str] = &["ApiVersionMismatch", "ForkedProcess", "NoWinner"];

static CLASSES: PyOnceLock<HashMap<String, Py<PyType>>> = PyOnceLock::new();

/// Why a call failed, before it is a Python exception.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An argument is not what it must be: a `ValueError`.
    Argument(String),
    /// The client says why.
    Sdk(Box<SdkError>),
    /// A transaction failed; with the words that scripts know.
    Transaction {
        /// What was tried, such as `SubmitData`.
        label: &'static str,
        /// What the client says.
        error: Box<SdkError>,
    },
    /// What Python itself raised, such as `KeyboardInterrupt`.
    Raised(PyErr),
    /// Any other error with a stable name.
    Named {
        /// The name.
        name: String,
        /// A sentence for people.
        message: String,
        /// Values of the message by name.
        details: Value,
    },
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self::Sdk(Box::new(error))
    }
}

impl Failure {
    /// An argument called `name` that is not what it must be.
    pub(crate) fn argument(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Argument(format!("{name}: {reason}"))
    }

    /// An error with a stable name and no details.
    pub(crate) fn named(name: &str, message: impl Into<String>) -> Self {
        Self::Named {
            name: name.to_owned(),
            message: message.into(),
            details: Value::Null,
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::named("FileError", format!("{}: {reason}", path.display()))
    }

    /// A bug: what a panic said.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "no reason was given".to_owned());
        Self::named("Internal", format!("a bug in soma_sdk: {text}"))
    }

    /// The Python exception.
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Argument(text) => PyValueError::new_err(text),
            Self::Raised(error) => error,
            Self::Named {
                name,
                message,
                details,
            } => exception(py, &name, message, None, &details),
            Self::Sdk(error) => raise_sdk(py, "Transaction", *error),
            Self::Transaction { label, error } => raise_sdk(py, label, *error),
        }
    }
}

fn raise_sdk(py: Python<'_>, label: &str, error: SdkError) -> PyErr {
    let name = error.name().to_owned();
    match error {
        SdkError::InvalidArgument(_) | SdkError::InvalidUrl { .. } => {
            PyValueError::new_err(error.to_string())
        }
        SdkError::NotConfigured { setting, .. } => {
            let text = format!(
                "Service not configured: No {setting} was provided when creating SomaClient"
            );
            exception(py, &name, text, None, &Value::Null)
        }
        SdkError::TransactionFailed {
            digest,
            name,
            message,
            receipt,
        } => {
            let details = receipt.error.map_or(Value::Null, |error| error.details);
            let text = format!(
                "Transaction failed: {label} failed (digest: {digest}): Failure {{ error: \
                 {name}{} }}: {message}",
                braces(&details)
            );
            exception(py, &name, text, Some(digest.to_string()), &details)
        }
        SdkError::NotExecuted { digest, .. } => {
            let text = error.to_string();
            exception(py, &name, text, Some(digest.to_string()), &Value::Null)
        }
        SdkError::Api { ref details, .. } => exception(py, &name, error.to_string(), None, details),
        error => exception(py, &name, error.to_string(), None, &Value::Null),
    }
}

/// ` { status: "filled" }`; nothing for an error without values.
fn braces(details: &Value) -> String {
    match details {
        Value::Object(map) if !map.is_empty() => {
            let fields = map.iter().map(|(name, value)| format!("{name}: {value}"));
            format!(" {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    }
}

/// An exception of the class called `name`, with its attributes.
fn exception(
    py: Python<'_>,
    name: &str,
    message: String,
    digest: Option<String>,
    details: &Value,
) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let classes = CLASSES.get(py);
        let class = classes.and_then(|classes| classes.get(name).or_else(|| classes.get(BASE)));
        let Some(class) = class else {
            return Ok(PyRuntimeError::new_err(message.clone()));
        };
        let instance = class.bind(py).call1((message.clone(),))?;
        instance.setattr("name", name)?;
        instance.setattr("digest", digest)?;
        instance.setattr(
            "details",
            match details {
                Value::Null => PyDict::new(py).into_any(),
                details => to_python(py, details)?,
            },
        )?;
        Ok(PyErr::from_value(instance))
    };
    made().unwrap_or_else(|error| error)
}

/// All stable names, each once, in order.
fn names() -> Vec<&'static str> {
    let codes = ErrorCode::ALL.iter().map(|code| code.name());
    let mut names: Vec<&str> = ExecutionError::NAMES.to_vec();
    names.extend(codes);
    names.extend(SdkError::NAMES);
    names.extend(BlobError::NAMES);
    names.extend(OWN);
    names.sort_unstable();
    names.dedup();
    names
}

/// Makes the classes, and puts them into the module with the list of their names.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let runtime_error = py.get_type::<PyRuntimeError>();
    let base_doc = "What the network, a service or the chain refused. `name` is the stable name of \
                    the error, `digest` that of the transaction when there is one, `details` the \
                    values of the message by name.";
    let base = class(py, BASE, base_doc, &runtime_error)?;
    let names = names();
    let mut classes = HashMap::new();
    for name in &names {
        let doc = format!("The error that the network calls `{name}`.");
        let class = class(py, name, &doc, base.bind(py))?;
        module.add(*name, class.clone_ref(py))?;
        classes.insert((*name).to_owned(), class);
    }
    module.add(BASE, base.clone_ref(py))?;
    module.add("ERROR_NAMES", PyTuple::new(py, &names)?)?;
    classes.insert(BASE.to_owned(), base);
    // A second import in one process keeps the first classes.
    let _ = CLASSES.set(py, classes);
    Ok(())
}

fn class(py: Python<'_>, name: &str, doc: &str, base: &Bound<'_, PyType>) -> PyResult<Py<PyType>> {
    let dict = PyDict::new(py);
    dict.set_item("name", name)?;
    dict.set_item("digest", py.None())?;
    dict.set_item("details", PyDict::new(py))?;
    let full = CString::new(format!("soma_sdk.{name}"))?;
    let doc = CString::new(doc)?;
    // `new_type` lets go of its reference before it uses the dict: this one keeps it alive.
    let given = dict.clone().into_any().unbind();
    let made = PyErr::new_type(py, &full, Some(&doc), Some(base), Some(given));
    drop(dict);
    made
}
