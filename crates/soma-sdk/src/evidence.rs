//! Why a submission won, shown without a node: the target's state, with all that proves it.
//!
//! ```text
//! genesis ─▶ hand-overs ─▶ committee ─▶ certificate ─▶ header ─▶ state root ─▶ target, direction
//! ```
//! A file with a [`TargetEvidence`] can be checked years later, when no node keeps that state.

use serde::{Deserialize, Serialize};
use soma_api::{CertificateView, HandoverView, ProofView};
use soma_chain::{Handover, LightClient, ProofError, verify_proof};
use soma_types::{Certificate, Digest, Embedding, Epoch, Genesis, Header, Target, TargetId, codec};

use crate::client::Client;
use crate::config::Service;
use crate::error::SdkError;
use crate::http::Query;
use crate::light::state_proof;
use crate::proofs::ProofKey;
use crate::reads::BlockName;

/// Tries to read everything of one height: a node keeps the state of the newest few only.
const TRIES: u32 = 5;

/// A target in the state of one block, with all that proves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetEvidence {
    /// The target, its submission included.
    pub target: ProofView,
    /// The target's direction in the state of the same block.
    pub direction: ProofView,
    /// The committee of the block's epoch in the state of the same block.
    pub committee: ProofView,
    /// Proof that the block is final.
    pub certificate: CertificateView,
    /// How the committees since the genesis handed over, up to the block's epoch.
    pub handovers: Vec<HandoverView>,
}

/// What evidence shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenTarget {
    /// The target.
    pub target: Target,
    /// Its direction.
    pub direction: Embedding,
    /// The block whose state holds both.
    pub header: Header,
    /// The block's digest.
    pub digest: Digest,
}

impl Client {
    /// A target with all that proves it, by the newest block. Not checked.
    ///
    /// # Errors
    /// [`SdkError`], for example when there is no such target.
    pub async fn target_evidence(&self, id: TargetId) -> Result<TargetEvidence, SdkError> {
        let mut tries = 0;
        let (target, direction, committee) = loop {
            tries += 1;
            match self.proofs_of_target(id).await {
                Ok(proofs) => break proofs,
                // Blocks came so fast that the state is not kept any more.
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => {}
            }
        };
        let height = target.header.height;
        let certificate = self.certificate(BlockName::Height(height)).await?;
        let mut handovers = Vec::new();
        for epoch in 0..target.header.epoch.0 {
            let path = format!("/v1/epochs/{epoch}/handover");
            handovers.push(self.http().get(self.rpc(), &path, &Query::new()).await?);
        }
        Ok(TargetEvidence {
            target,
            direction,
            committee,
            certificate,
            handovers,
        })
    }

    async fn proofs_of_target(
        &self,
        id: TargetId,
    ) -> Result<(ProofView, ProofView, ProofView), SdkError> {
        let target = self.proof(ProofKey::Target(id), None).await?;
        let (height, epoch) = (Some(target.header.height), target.header.epoch);
        let direction = self.proof(ProofKey::TargetEmbedding(id), height).await?;
        let committee = self.proof(ProofKey::Committee(epoch), height).await?;
        Ok((target, direction, committee))
    }
}

impl TargetEvidence {
    /// Checks everything. With the `genesis`, nothing is believed but that; without it, what is shown
    /// is that a committee has signed for the block, and not that it is the chain's: compare
    /// [`ProvenTarget::digest`] with what somebody trusted says of that height.
    ///
    /// # Errors
    /// [`SdkError::Proof`], [`SdkError::Light`] and [`SdkError::InvalidArgument`] for what does not
    /// hold.
    pub fn check(&self, id: TargetId, genesis: Option<&Genesis>) -> Result<ProvenTarget, SdkError> {
        let header = Header::from(self.target.header);
        let digest = soma_chain::header::digest(&header);
        let target = value(&self.target, ProofKey::Target(id), &header)?;
        let direction = value(&self.direction, ProofKey::TargetEmbedding(id), &header)?;
        let certificate = certificate(&self.certificate)?;
        let light = match genesis {
            Some(genesis) => self.follow(genesis, header.epoch)?,
            None => {
                let committee = state_proof(self.committee.clone());
                LightClient::from_trusted(digest, header.epoch, &committee)?
            }
        };
        light.verify(&header, &certificate)?;
        Ok(ProvenTarget {
            target,
            direction,
            header,
            digest,
        })
    }

    /// The committee of `epoch`, by the hand-overs since the genesis.
    fn follow(&self, genesis: &Genesis, epoch: Epoch) -> Result<LightClient, SdkError> {
        let mut light = LightClient::from_genesis(genesis)
            .map_err(|error| SdkError::InvalidArgument(format!("the genesis: {error}")))?;
        for handover in self.handovers.iter().take_while(|one| one.epoch < epoch) {
            light.advance(&Handover {
                certificate: certificate(&handover.certificate)?,
                committee: state_proof(handover.committee.clone()),
            })?;
        }
        Ok(light)
    }
}

/// The value that a proof shows in the state of `header`.
fn value<T: serde::de::DeserializeOwned>(
    view: &ProofView,
    key: ProofKey,
    header: &Header,
) -> Result<T, SdkError> {
    let proof = state_proof(view.clone());
    verify_proof(&proof)?;
    if proof.header != *header || proof.key != key.state_key().to_bytes() {
        let reason = "it is the proof of another entry or block".to_owned();
        let root = header.state_root;
        return Err(ProofError::Mismatch { root, reason }.into());
    }
    let Some(bytes) = proof.value else {
        let text = "there was no such target in the state of the block";
        return Err(SdkError::InvalidArgument(text.to_owned()));
    };
    codec::decode("an entry", &bytes)
        .map_err(|error| ProofError::Malformed(error.to_string()).into())
}

fn certificate(view: &CertificateView) -> Result<Certificate, SdkError> {
    Certificate::try_from(view.clone()).map_err(|error| SdkError::UnexpectedAnswer {
        service: Service::Rpc,
        url: "the evidence".to_owned(),
        reason: error.to_string(),
    })
}
