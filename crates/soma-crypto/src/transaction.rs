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

#[cfg(test)]
mod tests {
    use super::*;
    use soma_types::{ChainId, Shannons, TransactionKind};

    fn transfer(sender: Address) -> Transaction {
        let kind = TransactionKind::Transfer {
            recipient: Address([9; 32]),
            amount: Shannons(5),
        };
        let chain_id = ChainId([1; 32]);
        Transaction {
            chain_id,
            sender,
            nonce: 0,
            expiry_height: 10,
            kind,
        }
    }

    #[test]
    fn a_signed_transaction_verifies_and_keeps_its_digest_and_size() {
        let key = SecretKey::generate();
        let transaction = transfer(key.address());
        let signed = sign(transaction.clone(), &key);
        let verified = verify(signed.clone()).unwrap();
        assert_eq!(verified.digest(), transaction_digest(&transaction));
        assert_eq!(verified.size_bytes(), encode(&signed).len());
        let verifier = Verifier::new(4);
        assert_eq!(
            verify_with(&verifier, signed).unwrap().digest(),
            verified.digest()
        );
    }

    #[test]
    fn a_signature_is_good_for_one_transaction_on_one_chain() {
        let key = SecretKey::generate();
        let signed = sign(transfer(key.address()), &key);
        let changes: [fn(&mut Transaction); 4] = [
            |transaction| transaction.chain_id = ChainId([2; 32]),
            |transaction| transaction.nonce = 1,
            |transaction| transaction.expiry_height = 11,
            |transaction| {
                let recipient = Address([8; 32]);
                transaction.kind = TransactionKind::Transfer {
                    recipient,
                    amount: Shannons(5),
                };
            },
        ];
        for change in changes {
            let mut replayed = signed.clone();
            change(&mut replayed.transaction);
            let error = verify(replayed).unwrap_err();
            assert_eq!(error, TransactionError::Signature(SignatureError::Mismatch));
        }
    }

    #[test]
    fn nobody_signs_for_another_sender() {
        let (thief, victim) = (SecretKey::generate(), SecretKey::generate());
        let signed = sign(transfer(victim.address()), &thief);
        let expected = TransactionError::WrongKey {
            key: thief.address(),
            sender: victim.address(),
        };
        assert_eq!(verify(signed).unwrap_err(), expected);
    }
}
