//! A light client: headers and state that the chain's committees have signed for, whatever node
//! gives them.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let net = soma_node::Localnet::start(soma_node::LocalnetConfig::for_tests()).await?;
//! # let genesis = net.application().chain().genesis().clone();
//! # let (rpc, me) = (net.rpc_url(), net.keys().accounts[0].address);
//! use soma_sdk::{Client, ProofKey, Trust};
//!
//! let client = Client::builder().rpc_url(rpc).build()?;
//! let mut chain = client.follow(Trust::Genesis(Box::new(genesis))).await?;
//! let proven = chain.read(ProofKey::Account(me)).await?;
//! println!("final at height {}: {:?}", proven.header.height, proven.value);
//! # net.shutdown().await?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;

use soma_api::{HandoverView, ProofView};
use soma_chain::{Handover, LightClient, LightError, ProofError, StateProof, header, verify_proof};
use soma_crypto::consensus::verify_certificate;
use soma_types::{Certificate, ChainId, Committee, Digest, Epoch, Genesis, Header, Height};

use crate::client::Client;
use crate::config::Service;
use crate::error::SdkError;
use crate::http::Query;
use crate::proofs::{ProofKey, Verified};
use crate::reads::BlockName;

/// What a light client believes without proof.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The genesis document.
    Genesis(Box<Genesis>),
    /// A block, as somebody trusted names it: best the last one of an epoch, whose proof nodes
    /// keep.
    Block {
        /// Its height.
        height: Height,
        /// Its digest.
        digest: Digest,
    },
}

/// A chain that is followed by its committees.
pub struct Follower {
    client: Client,
    light: LightClient,
    /// The committees of all epochs since the start.
    committees: BTreeMap<Epoch, Committee>,
}

impl Client {
    /// Follows the chain from what is trusted to the current epoch.
    ///
    /// # Errors
    /// [`SdkError::Light`] when the node cannot show the way; [`SdkError`].
    pub async fn follow(&self, trust: Trust) -> Result<Follower, SdkError> {
        let light = match trust {
            Trust::Genesis(genesis) => LightClient::from_genesis(&genesis)
                .map_err(|error| SdkError::InvalidArgument(format!("the genesis: {error}")))?,
            Trust::Block { height, digest } => self.trusted(height, digest).await?,
        };
        let committee = light.committee().clone();
        let mut follower = Follower {
            client: self.clone(),
            light,
            committees: BTreeMap::from([(committee.epoch, committee)]),
        };
        follower.sync().await?;
        Ok(follower)
    }

    /// The chain of a trusted block, known by the committee of its epoch; by the next one, when the
    /// block is the last of its epoch.
    ///
    /// # Errors
    /// [`SdkError::Light`] when the node's block is another; [`SdkError`].
    pub async fn trusted(&self, height: Height, trusted: Digest) -> Result<LightClient, SdkError> {
        let header = self.header_at(height).await?;
        let got = header::digest(&header);
        if got != trusted {
            return Err(LightError::NotTrusted {
                height,
                expected: trusted,
                got,
            }
            .into());
        }
        // Only now is the epoch more than the node's word.
        let epoch = header.epoch;
        // The last block of an epoch, for ever.
        if let Ok(handover) = self.handover(epoch).await
            && handover.committee.header.height == height
        {
            let next = Epoch(epoch.0.saturating_add(1));
            return Ok(LightClient::from_trusted(
                trusted,
                next,
                &handover.committee,
            )?);
        }
        // Any other block, for as long as the node can prove its state.
        let proof = self.proof(ProofKey::Committee(epoch), Some(height)).await?;
        Ok(LightClient::from_trusted(
            trusted,
            epoch,
            &state_proof(proof),
        )?)
    }

    /// How the committee of `epoch` handed over to the next. Not checked.
    ///
    /// # Errors
    /// `NotFound` while the epoch lasts; [`SdkError`].
    pub async fn handover(&self, epoch: Epoch) -> Result<Handover, SdkError> {
        let path = format!("/v1/epochs/{epoch}/handover");
        let view: HandoverView = self.http().get(self.rpc(), &path, &Query::new()).await?;
        let certificate = Certificate::try_from(view.certificate);
        Ok(Handover {
            certificate: certificate.map_err(|error| SdkError::UnexpectedAnswer {
                service: Service::Rpc,
                url: format!("{}{path}", self.rpc_url()),
                reason: error.to_string(),
            })?,
            committee: state_proof(view.committee),
        })
    }
}

/// A proof as it came; verifying it binds all its parts.
pub(crate) fn state_proof(view: ProofView) -> StateProof {
    StateProof {
        header: view.header.into(),
        key: view.key.0,
        value: view.value.map(|value| value.0),
        proof: view.proof.0,
    }
}

impl Follower {
    /// The chain.
    pub fn chain_id(&self) -> ChainId {
        self.light.chain_id()
    }

    /// The newest epoch that is known.
    pub fn epoch(&self) -> Epoch {
        self.light.committee().epoch
    }

    /// The committee of an epoch since the start; none for others.
    pub fn committee(&self, epoch: Epoch) -> Option<&Committee> {
        self.committees.get(&epoch)
    }

    /// Follows to the current epoch.
    ///
    /// # Errors
    /// [`SdkError::Light`] when the node's hand-over does not hold; [`SdkError`].
    pub async fn sync(&mut self) -> Result<Epoch, SdkError> {
        let newest = self.client.status().await?.epoch;
        while self.epoch() < newest {
            let handover = self.client.handover(self.epoch()).await?;
            self.advance(&handover)?;
        }
        Ok(self.epoch())
    }

    /// Goes on by one hand-over.
    ///
    /// # Errors
    /// [`SdkError::Light`]; then nothing has changed.
    pub fn advance(&mut self, handover: &Handover) -> Result<(), SdkError> {
        self.light.advance(handover)?;
        let committee = self.light.committee().clone();
        self.committees.insert(committee.epoch, committee);
        Ok(())
    }

    /// The header of the final block at `height`, of an epoch since the start.
    ///
    /// # Errors
    /// [`SdkError::NotFinal`] when the node's certificate does not prove it; [`SdkError`].
    pub async fn header(&mut self, height: Height) -> Result<Header, SdkError> {
        let header = self.client.header_at(height).await?;
        self.check(&header).await?;
        Ok(header)
    }

    /// An entry of the newest state, proven, by a final block.
    ///
    /// # Errors
    /// [`SdkError::Proof`], [`SdkError::NotFinal`]; [`SdkError`].
    pub async fn read(&mut self, key: ProofKey) -> Result<Verified<Vec<u8>>, SdkError> {
        let proof = state_proof(self.client.proof(key, None).await?);
        verify_proof(&proof)?;
        if proof.key != key.state_key().to_bytes() {
            let reason = "it is the proof of another entry".to_owned();
            let root = proof.header.state_root;
            return Err(ProofError::Mismatch { root, reason }.into());
        }
        self.check(&proof.header).await?;
        Ok(Verified {
            value: proof.value,
            header: proof.header,
            digest: header::digest(&proof.header),
        })
    }

    /// Checks that `header` is final.
    async fn check(&mut self, header: &Header) -> Result<(), SdkError> {
        let (expected, got) = (self.chain_id(), header.chain_id);
        if got != expected {
            return Err(SdkError::WrongChain { expected, got });
        }
        if self.light.is_start(header) {
            return Ok(());
        }
        if header.epoch > self.epoch() {
            self.sync().await?;
        }
        let committee = self.committees.get(&header.epoch);
        let committee = committee.ok_or_else(|| {
            let text = format!(
                "block {} is of epoch {}, before what is trusted",
                header.height, header.epoch
            );
            SdkError::InvalidArgument(text)
        })?;
        let name = BlockName::Height(header.height);
        let view = self.client.certificate(name).await?;
        let certificate = Certificate::try_from(view);
        let certificate = certificate.map_err(|error| SdkError::UnexpectedAnswer {
            service: Service::Rpc,
            url: self.client.rpc_url().to_owned(),
            reason: format!("the certificate of block {}: {error}", header.height),
        })?;
        Ok(verify_certificate(&certificate, header, committee)?)
    }
}
