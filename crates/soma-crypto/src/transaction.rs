//! Transactions: digest, signature, and the proof by type that a signature was checked.

use std::ops::Deref;
use std::sync::Arc;

use soma_types::codec::encode;
use soma_types::{Address, Digest, PublicKey, Signature, SignedTransaction, Transaction};
use thiserror::Error;

use crate::hash::{Domain, hash};
use crate::keys::{SecretKey, SignatureError, address_of, verify_digest};
use crate::verifier::Verifier;

/// What the sender signs, and the transaction's id. It covers chain id, sender, nonce, expiry and
/// kind, so a signature is good for one transaction on one chain.
pub fn transaction_digest(transaction: &Transaction) -> Digest {
    Digest(hash(Domain::Transaction, encode(transaction)))
}

/// Signs `transaction` with its sender's key.
pub fn sign(transaction: Transaction, key: &SecretKey) -> SignedTransaction {
    let signature = key.sign_digest(&transaction_digest(&transaction).0);
    SignedTransaction {
        transaction,
        public_key: key.public_key(),
        signature,
    }
}

/// Why a signed transaction is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransactionError {
    /// The key belongs to another address.
    #[error("the public key is that of {key}, the sender is {sender}; sign with the sender's key")]
    WrongKey {
        /// Address of the key.
        key: Address,
        /// The sender.
        sender: Address,
    },
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

#[derive(Debug)]
struct Inner {
    signed: SignedTransaction,
    digest: Digest,
    size_bytes: usize,
}

/// A transaction whose signature was checked. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct VerifiedTransaction(Arc<Inner>);

impl VerifiedTransaction {
    /// The transaction's id.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Size of the canonical encoding of the signed transaction in bytes.
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes
    }
}

impl Deref for VerifiedTransaction {
    type Target = SignedTransaction;

    fn deref(&self) -> &SignedTransaction {
        &self.0.signed
    }
}

/// Checks that the sender signed the transaction. Chain id, nonce and expiry are for the chain.
///
/// # Errors
/// A key of another address, or a signature that is not good.
pub fn verify(signed: SignedTransaction) -> Result<VerifiedTransaction, TransactionError> {
    check(signed, verify_digest)
}

/// As [`verify`], with a verifier that remembers the keys of senders seen before.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    verifier: &Verifier,
    signed: SignedTransaction,
) -> Result<VerifiedTransaction, TransactionError> {
    check(signed, |key, digest, signature| {
        verifier.verify(key, digest, signature)
    })
}

fn check(
    signed: SignedTransaction,
    verify: impl Fn(&PublicKey, &[u8; 32], &Signature) -> Result<(), SignatureError>,
) -> Result<VerifiedTransaction, TransactionError> {
    let encoded = encode(&signed.transaction);
    let digest = Digest(hash(Domain::Transaction, &encoded));
    let sender = signed.transaction.sender;
    let key = address_of(&signed.public_key);
    if key != sender {
        return Err(TransactionError::WrongKey { key, sender });
    }
    verify(&signed.public_key, &digest.0, &signed.signature)?;
    let size_bytes = encoded.len() + signed.public_key.0.len() + signed.signature.0.len();
    Ok(VerifiedTransaction(Arc::new(Inner {
        signed,
        digest,
        size_bytes,
    })))
}
