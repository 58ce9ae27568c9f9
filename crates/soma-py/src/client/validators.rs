//! Transactions of validators.

use pyo3::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;
use soma_chain::proof_of_possession_digest;
use soma_types::target::ModelFault;
use soma_types::validator::{MetadataText, ValidatorMetadata};
use soma_types::{
    Address, MetadataUpdate, PublicKey, Signature, TransactionKind, ValidatorCandidate,
};

use super::{Called, Client, checked};
use crate::arguments::parse;
use crate::bridge::Reply;
use crate::errors::Failure;
use crate::keypair::Keypair;

/// Reads why something is reported by its name, such as `wrong_loss`.
pub(super) fn fault<T: DeserializeOwned>(reason: &str) -> Result<T, Failure> {
    serde_json::from_value(Value::String(reason.to_owned()))
        .map_err(|error| Failure::argument("reason", error))
}

fn public_key(name: &str, bytes: &[u8]) -> Result<PublicKey, Failure> {
    bytes.try_into().map(PublicKey).map_err(|_| {
        let got = bytes.len();
        let text = format!("must be a compressed secp256k1 key of exactly 33 bytes, got {got}");
        Failure::argument(name, text)
    })
}

fn signature(name: &str, bytes: &[u8]) -> Result<Signature, Failure> {
    bytes.try_into().map(Signature).map_err(|_| {
        let got = bytes.len();
        let text = format!("must be a signature of exactly 64 bytes, got {got}");
        Failure::argument(name, text)
    })
}

fn text(name: &str, text: String) -> Result<MetadataText, Failure> {
    MetadataText::new(text).map_err(|error| Failure::argument(name, error))
}

#[pymethods]
impl Client {
    /// What a consensus key signs to show that its holder is `address`.
    fn proof_of_possession<'py>(
        &self,
        py: Python<'py>,
        consensus_key: &Keypair,
        address: &str,
    ) -> Called<'py> {
        let address: Address = checked(py, parse("address", address))?;
        let key = consensus_key.key.clone();
        self.read(py, move |sdk| async move {
            let chain = sdk.chain_id().await?;
            let digest = proof_of_possession_digest(&chain, &address);
            Ok(Reply::Bytes(key.sign_digest(&digest.0).0.to_vec()))
        })
    }

    /// Applies to join the committee, with the stake that a candidate needs.
    #[expect(clippy::too_many_arguments, reason = "those of the transaction")]
    fn add_validator<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        pubkey_bytes: &[u8],
        proof_of_possession: &[u8],
        net_address: String,
        p2p_address: String,
        proxy_address: String,
        name: String,
        commission_bps: u16,
    ) -> Called<'py> {
        let candidate = || -> Result<ValidatorCandidate, Failure> {
            Ok(ValidatorCandidate {
                metadata: ValidatorMetadata {
                    name: text("name", name)?,
                    consensus_key: public_key("pubkey_bytes", pubkey_bytes)?,
                    p2p_address: text("p2p_address", p2p_address)?,
                    rpc_address: text("net_address", net_address)?,
                    proxy_address: text("proxy_address", proxy_address)?,
                },
                proof_of_possession: signature("proof_of_possession", proof_of_possession)?,
                commission_bps,
            })
        };
        let kind = TransactionKind::AddValidator(Box::new(checked(py, candidate())?));
        self.execute(py, signer, "AddValidator", kind)
    }

    /// Leaves the committee, or withdraws an application.
    fn remove_validator<'py>(&self, py: Python<'py>, signer: &Keypair) -> Called<'py> {
        self.execute(
            py,
            signer,
            "RemoveValidator",
            TransactionKind::RemoveValidator,
        )
    }

    /// Changes metadata from the next epoch on; what is absent stays.
    #[pyo3(signature = (signer, network_address = None, p2p_address = None, proxy_address = None,
        protocol_pubkey = None, proof_of_possession = None, name = None))]
    #[expect(clippy::too_many_arguments, reason = "those of the transaction")]
    fn update_validator_metadata<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        network_address: Option<String>,
        p2p_address: Option<String>,
        proxy_address: Option<String>,
        protocol_pubkey: Option<&[u8]>,
        proof_of_possession: Option<&[u8]>,
        name: Option<String>,
    ) -> Called<'py> {
        let field =
            |name: &str, value: Option<String>| value.map(|value| text(name, value)).transpose();
        let update = || -> Result<MetadataUpdate, Failure> {
            let key = protocol_pubkey.map(|key| public_key("next_epoch_protocol_pubkey", key));
            let proof =
                proof_of_possession.map(|proof| signature("next_epoch_proof_of_possession", proof));
            Ok(MetadataUpdate {
                name: field("name", name)?,
                consensus_key: key.transpose()?,
                proof_of_possession: proof.transpose()?,
                p2p_address: field("next_epoch_p2p_address", p2p_address)?,
                rpc_address: field("next_epoch_network_address", network_address)?,
                proxy_address: field("next_epoch_proxy_address", proxy_address)?,
            })
        };
        let update = Box::new(checked(py, update())?);
        let kind = TransactionKind::UpdateValidatorMetadata(update);
        self.execute(py, signer, "UpdateValidatorMetadata", kind)
    }

    /// Changes this validator's commission from the next epoch on.
    fn set_validator_commission<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        commission_bps: u16,
    ) -> Called<'py> {
        let kind = TransactionKind::SetValidatorCommission { commission_bps };
        self.execute(py, signer, "SetCommissionRate", kind)
    }

    /// Reports a validator, or takes the report back.
    fn report_validator<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        validator: &str,
        undo: bool,
    ) -> Called<'py> {
        let validator = checked(py, parse("reportee", validator))?;
        let (label, kind) = match undo {
            false => (
                "ReportValidator",
                TransactionKind::ReportValidator { validator },
            ),
            true => (
                "UndoReportValidator",
                TransactionKind::UndoReportValidator { validator },
            ),
        };
        self.execute(py, signer, label, kind)
    }

    /// Reports a model, or takes the report back when there is no reason.
    #[pyo3(signature = (signer, model_id, reason = None))]
    fn report_model<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        model_id: &str,
        reason: Option<&str>,
    ) -> Called<'py> {
        let model = checked(py, parse("model_id", model_id))?;
        let Some(reason) = reason else {
            let kind = TransactionKind::UndoReportModel { model };
            return self.execute(py, signer, "UndoReportModel", kind);
        };
        let reason: ModelFault = checked(py, fault(reason))?;
        let kind = TransactionKind::ReportModel { model, reason };
        self.execute(py, signer, "ReportModel", kind)
    }
}
