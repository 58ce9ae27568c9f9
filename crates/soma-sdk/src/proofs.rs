//! Verified reads: values with a proof that they stand in the state of a header.
//!
//! A proof shows that the value belongs to the header's state root and that the header has the
//! given digest. That this header is final is shown by [`Client::final_header`], to who knows the
//! committee of its epoch.

use serde::de::DeserializeOwned;
use soma_api::ProofView;
use soma_chain::{Key, ProofError, StateProof, header, verify_proof};
use soma_crypto::consensus::verify_certificate;
use soma_types::codec;
use soma_types::{
    Account, Address, Certificate, Checksum, Committee, DataRecord, Digest, Epoch, EpochSummary,
    Header, Height, Model, ModelId, PoolId, StakeId, StakePosition, StakingPool, Supply,
    SupplyCertificate, SystemState, Target, TargetId, Validator,
};

use crate::client::Client;
use crate::config::Service;
use crate::error::SdkError;
use crate::http::Query;
use crate::reads::BlockName;

/// An entry of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKey {
    /// The system state.
    System,
    /// Where all SOMA are.
    Supply,
    /// Balance and nonce.
    Account(Address),
    /// A model.
    Model(ModelId),
    /// A target.
    Target(TargetId),
    /// A target's direction.
    TargetEmbedding(TargetId),
    /// Who submitted data of this checksum first.
    Data(Checksum),
    /// A stake position.
    Stake(StakeId),
    /// A staking pool.
    Pool(PoolId),
    /// A validator.
    Validator(Address),
    /// The committee of an epoch.
    Committee(Epoch),
    /// The summary of an epoch.
    Epoch(Epoch),
    /// The supply at the end of an epoch.
    SupplyCertificate(Epoch),
}

impl ProofKey {
    fn path(self) -> String {
        let (kind, id) = match self {
            Self::System => return "/v1/proofs/system".to_owned(),
            Self::Supply => return "/v1/proofs/supply".to_owned(),
            Self::Account(id) => ("account", id.to_string()),
            Self::Model(id) => ("model", id.to_string()),
            Self::Target(id) => ("target", id.to_string()),
            Self::TargetEmbedding(id) => ("target_embedding", id.to_string()),
            Self::Data(checksum) => ("data", checksum.to_string()),
            Self::Stake(id) => ("stake", id.to_string()),
            Self::Pool(id) => ("pool", id.to_string()),
            Self::Validator(id) => ("validator", id.to_string()),
            Self::Committee(epoch) => ("committee", epoch.to_string()),
            Self::Epoch(epoch) => ("epoch", epoch.to_string()),
            Self::SupplyCertificate(epoch) => ("supply_certificate", epoch.to_string()),
        };
        format!("/v1/proofs/{kind}/{id}")
    }

    pub(crate) fn state_key(self) -> Key {
        match self {
            Self::System => Key::System,
            Self::Supply => Key::Supply,
            Self::Account(id) => Key::Account(id),
            Self::Model(id) => Key::Model(id),
            Self::Target(id) => Key::Target(id),
            Self::TargetEmbedding(id) => Key::TargetEmbedding(id),
            Self::Data(checksum) => Key::Data(checksum),
            Self::Stake(id) => Key::Stake(id),
            Self::Pool(id) => Key::Pool(id),
            Self::Validator(id) => Key::Validator(id),
            Self::Committee(epoch) => Key::Committee(epoch),
            Self::Epoch(epoch) => Key::EpochSummary(epoch),
            Self::SupplyCertificate(epoch) => Key::SupplyCertificate(epoch),
        }
    }
}

/// A value that was proven against a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    /// The value; none when the proof shows that there is no entry.
    pub value: Option<T>,
    /// The header whose state holds it.
    pub header: Header,
    /// Digest of the header.
    pub digest: Digest,
}

impl Client {
    /// A proof as the node gives it, of the newest state or of a recent height. Not checked.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn proof(
        &self,
        key: ProofKey,
        height: Option<Height>,
    ) -> Result<ProofView, SdkError> {
        let query: Query = height
            .map(|height| ("height", height.to_string()))
            .into_iter()
            .collect();
        self.http().get(self.rpc(), &key.path(), &query).await
    }

    /// The encoded value of an entry, proven.
    ///
    /// # Errors
    /// [`SdkError::Proof`] when the node's answer does not prove itself, [`SdkError::WrongChain`].
    pub async fn verified_bytes(&self, key: ProofKey) -> Result<Verified<Vec<u8>>, SdkError> {
        let expected = self.chain_id().await?;
        let view = self.proof(key, None).await?;
        let verified = check(key.state_key(), view)?;
        let got = verified.header.chain_id;
        match got == expected {
            true => Ok(verified),
            false => Err(SdkError::WrongChain { expected, got }),
        }
    }

    /// The header of the block at `height` that `committee`, the one of its epoch, has made final.
    ///
    /// # Errors
    /// [`SdkError::NotFinal`] when the node's certificate does not prove it; [`SdkError`].
    pub async fn final_header(
        &self,
        height: Height,
        committee: &Committee,
    ) -> Result<Header, SdkError> {
        let expected = self.chain_id().await?;
        let header = self.header_at(height).await?;
        if header.chain_id != expected {
            let got = header.chain_id;
            return Err(SdkError::WrongChain { expected, got });
        }
        let view = self.certificate(BlockName::Height(height)).await?;
        let certificate =
            Certificate::try_from(view).map_err(|error| SdkError::UnexpectedAnswer {
                service: Service::Rpc,
                url: self.rpc_url().to_owned(),
                reason: format!("the certificate of block {height}: {error}"),
            })?;
        verify_certificate(&certificate, &header, committee)?;
        Ok(header)
    }

    /// The header that the node gives for `height`, of that height. Nothing else is checked.
    pub(crate) async fn header_at(&self, height: Height) -> Result<Header, SdkError> {
        let block = self.block(BlockName::Height(height), false).await?;
        let header = Header::from(block.header);
        match header.height == height {
            true => Ok(header),
            // Another block can be as final as the one that was asked for.
            false => Err(SdkError::UnexpectedAnswer {
                service: Service::Rpc,
                url: format!("{}/v1/blocks/{height}", self.rpc_url()),
                reason: format!("it is block {}, not {height}", header.height),
            }),
        }
    }

    async fn verified<T: DeserializeOwned>(&self, key: ProofKey) -> Result<Verified<T>, SdkError> {
        let Verified {
            value,
            header,
            digest,
        } = self.verified_bytes(key).await?;
        let value = value.map(|bytes| codec::decode("a state entry", &bytes));
        let value = value
            .transpose()
            .map_err(|error| ProofError::Malformed(error.to_string()))?;
        Ok(Verified {
            value,
            header,
            digest,
        })
    }
}

macro_rules! verified_reads {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $kind:ty)?) -> $value:ty = $key:expr;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// As [`Client::verified_bytes`].
                pub async fn $name(&self $(, $arg: $kind)?) -> Result<Verified<$value>, SdkError> {
                    self.verified($key).await
                }
            )*
        }
    };
}

verified_reads! {
    /// Balance and nonce of an account, proven. None for an account that never had money.
    verified_account(address: Address) -> Account = ProofKey::Account(address);
    /// A model, proven.
    verified_model(id: ModelId) -> Model = ProofKey::Model(id);
    /// A target, proven.
    verified_target(id: TargetId) -> Target = ProofKey::Target(id);
    /// Who submitted data of this checksum first, proven. None when nobody did.
    verified_data(checksum: Checksum) -> DataRecord = ProofKey::Data(checksum);
    /// A stake position, proven.
    verified_stake(id: StakeId) -> StakePosition = ProofKey::Stake(id);
    /// A staking pool, proven.
    verified_pool(id: PoolId) -> StakingPool = ProofKey::Pool(id);
    /// A validator, proven.
    verified_validator(address: Address) -> Validator = ProofKey::Validator(address);
    /// The committee of an epoch, proven.
    verified_committee(epoch: Epoch) -> Committee = ProofKey::Committee(epoch);
    /// The summary of an epoch, proven.
    verified_epoch(epoch: Epoch) -> EpochSummary = ProofKey::Epoch(epoch);
    /// The supply certificate of an epoch, proven.
    verified_supply_certificate(epoch: Epoch) -> SupplyCertificate
        = ProofKey::SupplyCertificate(epoch);
    /// The system state, proven.
    verified_system() -> SystemState = ProofKey::System;
    /// Where all SOMA are, proven.
    verified_supply() -> Supply = ProofKey::Supply;
}

/// Checks that `view` proves the entry `key` against its own header.
fn check(key: Key, view: ProofView) -> Result<Verified<Vec<u8>>, SdkError> {
    let header: Header = view.header.into();
    let mismatch = |reason: &str| ProofError::Mismatch {
        root: header.state_root,
        reason: reason.to_owned(),
    };
    if view.key.0 != key.to_bytes() {
        return Err(mismatch("it is the proof of another entry").into());
    }
    if header::digest(&header) != view.digest {
        return Err(mismatch("the digest is not that of the header").into());
    }
    let proof = StateProof {
        header,
        key: view.key.0,
        value: view.value.map(|value| value.0),
        proof: view.proof.0,
    };
    verify_proof(&proof)?;
    Ok(Verified {
        value: proof.value,
        header,
        digest: view.digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use soma_api::{Base64, HeaderView};
    use soma_types::ChainId;

    fn view(key: Key) -> ProofView {
        let header = Header {
            chain_id: ChainId([1; 32]),
            height: 1,
            epoch: Epoch(0),
            time_ms: 1,
            parent: Digest([0; 32]),
            transactions_root: Digest([0; 32]),
            receipts_root: Digest([0; 32]),
            state_root: Digest([9; 32]),
            proposer: Address([0; 32]),
        };
        ProofView {
            digest: header::digest(&header),
            header: HeaderView::from(header),
            key: Base64(key.to_bytes()),
            value: None,
            proof: Base64(vec![1, 2, 3]),
        }
    }

    #[test]
    fn an_answer_that_does_not_prove_itself_is_refused() {
        let key = Key::Account(Address([1; 32]));
        assert!(matches!(check(key, view(key)), Err(SdkError::Proof(_))));
        let other = view(Key::Account(Address([2; 32])));
        let error = check(key, other).unwrap_err().to_string();
        assert!(error.contains("another entry"), "{error}");
        let mut lying = view(key);
        lying.header.height = 2;
        let error = check(key, lying).unwrap_err().to_string();
        assert!(error.contains("digest"), "{error}");
    }
}
