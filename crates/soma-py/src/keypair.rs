//! A key pair: secp256k1, as everywhere on this network.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use soma_crypto::SecretKey;
use soma_crypto::mnemonic::{Mnemonic, WordCount};
use soma_crypto::transaction::sign;
use soma_types::{Transaction, codec};
use zeroize::Zeroizing;

use crate::arguments::decode;
use crate::errors::Failure;
use crate::exit::compute;

/// Prefix of an encoded key.
const PREFIX: Hrp = Hrp::parse_unchecked("somaprivkey");

/// The byte before the key that says which kind of key it is. Keys of other kinds begin with 0 to
/// 2 elsewhere, and are refused here.
const SECP256K1: u8 = 3;

/// A secret key with its address. It never prints its secret by itself.
#[pyclass(frozen, module = "soma_sdk", eq, hash)]
pub(crate) struct Keypair {
    pub(crate) key: SecretKey,
}

impl PartialEq for Keypair {
    fn eq(&self, other: &Self) -> bool {
        self.key.address() == other.key.address()
    }
}

impl std::hash::Hash for Keypair {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.address().hash(state);
    }
}

#[pymethods]
impl Keypair {
    /// A fresh key from the system's randomness.
    #[staticmethod]
    fn generate(py: Python<'_>) -> PyResult<Self> {
        compute(py, || {
            Ok(Self {
                key: SecretKey::generate(),
            })
        })
    }

    /// The key of 32 bytes, of 64 hex digits with or without 0x, or of a text that begins with
    /// "somaprivkey1".
    #[staticmethod]
    fn from_secret_key(secret_key: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = secret_key.py();
        let key = if let Ok(text) = secret_key.cast::<PyString>() {
            let text = secret_text("secret_key", text)?;
            match text.trim() {
                text if text.starts_with("somaprivkey1") => from_encoded(text),
                text => from_hex(text),
            }
        } else {
            match secret_key.extract::<SecretBytes>() {
                Ok(bytes) => from_bytes(&bytes.0),
                Err(_) => Err(Failure::argument(
                    "secret_key",
                    "must be 32 bytes, hex digits or a text that begins with somaprivkey1",
                )),
            }
        };
        let key = key.map_err(|failure| failure.raise(py))?;
        Ok(Self { key })
    }

    /// The first key of a recovery phrase, at the path m/44'/784'/0'/0/0.
    #[staticmethod]
    fn from_mnemonic(mnemonic: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = mnemonic.py();
        let refuse = |reason: &str| Failure::argument("mnemonic", reason).raise(py);
        let phrase = mnemonic.cast::<PyString>();
        let phrase = phrase.map_err(|_| refuse("must be a text"))?;
        let phrase = secret_text("mnemonic", phrase)?;
        let key = Mnemonic::parse(&phrase).and_then(|mnemonic| mnemonic.secret_key());
        let key = key.map_err(|error| refuse(&error.to_string()))?;
        Ok(Self { key })
    }

    /// The key of a text that begins with "somaprivkey1".
    #[staticmethod]
    fn from_encoded(encoded: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = encoded.py();
        let refuse = || Failure::argument("encoded", "must be a text").raise(py);
        let text = encoded.cast::<PyString>().map_err(|_| refuse())?;
        let text = secret_text("encoded", text)?;
        let key = from_encoded(text.trim()).map_err(|failure| failure.raise(py))?;
        Ok(Self { key })
    }

    /// A fresh recovery phrase of 12, 15, 18, 21 or 24 words, for `from_mnemonic`.
    #[staticmethod]
    #[pyo3(signature = (words = 12))]
    fn generate_mnemonic(
        py: Python<'_>,
        #[pyo3(from_py_with = word_count)] words: usize,
    ) -> PyResult<String> {
        let count = WordCount::try_from(words)
            .map_err(|error| Failure::argument("words", error).raise(py))?;
        Ok(Mnemonic::generate(count).phrase().to_string())
    }

    /// The address: 0x and 64 hex digits.
    fn address(&self) -> String {
        self.key.address().to_string()
    }

    /// The public key: 0x and 66 hex digits.
    fn public_key(&self) -> String {
        self.key.public_key().to_string()
    }

    /// Signs a transaction in its canonical encoding (BCS); gives the signed transaction in its.
    fn sign<'py>(
        &self,
        py: Python<'py>,
        transaction_data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let raise = |failure: Failure| failure.raise(py);
        let bytes = transaction_data.cast::<PyBytes>().map_err(|_| {
            raise(Failure::argument(
                "transaction_data",
                "must be bytes: a transaction in its canonical encoding",
            ))
        })?;
        let transaction: Transaction =
            decode("transaction_data", "a transaction", bytes.as_bytes()).map_err(raise)?;
        let address = self.key.address();
        if transaction.sender != address {
            let text = format!(
                "its sender is {}, this key signs for {address}",
                transaction.sender
            );
            return Err(raise(Failure::argument("transaction_data", text)));
        }
        let signed = sign(transaction, &self.key);
        Ok(PyBytes::new(py, &codec::encode(&signed)))
    }

    /// The secret key: 64 hex digits.
    fn to_secret_key(&self) -> String {
        self.key.to_hex().trim_start_matches("0x").to_owned()
    }

    /// The secret key as a text with a checksum; begins with "somaprivkey1".
    fn to_encoded(&self, py: Python<'_>) -> PyResult<String> {
        let mut bytes = Zeroizing::new([SECP256K1; 33]);
        bytes[1..].copy_from_slice(self.key.to_bytes().as_slice());
        bech32::encode::<Bech32>(PREFIX, bytes.as_slice())
            .map_err(|error| Failure::named("Internal", error.to_string()).raise(py))
    }

    fn __repr__(&self) -> String {
        format!("Keypair(address='{}')", self.key.address())
    }
}

/// Negative numbers, too large ones and what is no number are refused by name as others are.
fn word_count(words: &Bound<'_, PyAny>) -> PyResult<usize> {
    words.extract().map_err(|_| {
        let text = "must be a whole number: 12, 15, 18, 21 or 24";
        Failure::argument("words", text).raise(words.py())
    })
}

/// A text from Python, overwritten when dropped. Half a surrogate pair is none.
fn secret_text(name: &str, text: &Bound<'_, PyString>) -> PyResult<Zeroizing<String>> {
    let read = text.to_cow().map(|text| Zeroizing::new(text.into_owned()));
    read.map_err(|_| Failure::argument(name, "has half a surrogate pair").raise(text.py()))
}

/// Bytes from Python, overwritten when dropped.
struct SecretBytes(Zeroizing<Vec<u8>>);

impl<'a, 'py> FromPyObject<'a, 'py> for SecretBytes {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let bytes = match object.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().to_vec(),
            Err(_) => object.cast::<pyo3::types::PyByteArray>()?.to_vec(),
        };
        Ok(Self(Zeroizing::new(bytes)))
    }
}

fn from_bytes(bytes: &[u8]) -> Result<SecretKey, Failure> {
    let refuse = |error: soma_crypto::SecretKeyError| {
        // "Secret key must be exactly 32 bytes, got N" is what scripts know.
        Failure::Argument(error.to_string())
    };
    let length = soma_crypto::SecretKeyError::Length(bytes.len());
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| refuse(length))?;
    SecretKey::from_bytes(bytes).map_err(refuse)
}

fn from_hex(text: &str) -> Result<SecretKey, Failure> {
    SecretKey::from_hex(text).map_err(|error| match error {
        soma_crypto::SecretKeyError::NotHex => {
            Failure::Argument(format!("Invalid hex string: {error}"))
        }
        other => Failure::Argument(other.to_string()),
    })
}

fn from_encoded(text: &str) -> Result<SecretKey, Failure> {
    let refuse = |reason: String| Failure::argument("encoded", reason);
    let parsed = CheckedHrpstring::new::<Bech32>(text);
    let parsed = parsed.map_err(|error| refuse(format!("not an encoded key: {error}")))?;
    if parsed.hrp() != PREFIX {
        let text = "not an encoded secret key: it must begin with somaprivkey1";
        return Err(refuse(text.to_owned()));
    }
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(parsed.byte_iter().collect());
    match bytes.split_first() {
        Some((&SECP256K1, key)) => from_bytes(key),
        Some((kind, _)) => Err(refuse(format!(
            "a key of kind {kind}; keys of this network are secp256k1 (kind {SECP256K1}): make a \
             new wallet"
        ))),
        None => Err(refuse("it holds no key".to_owned())),
    }
}
