//! The folder of a ceremony, step by step.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_crypto::SecretKey;
use soma_types::{
    Address, ChainId, Genesis, GenesisAccount, GenesisModel, GenesisValidator, Shannons,
};
use url::Url;

use crate::approval::{Approval, Approvals};
use crate::draft::{Draft, Model, Soma};
use crate::error::CeremonyError;
use crate::files;
use crate::info::ValidatorInfo;
use crate::summary::{Summary, genesis_json, read_genesis};

/// What validators download from.
const SCHEMES: [&str; 2] = ["https", "http"];

const DRAFT_HEAD: &str = "\
# A genesis ceremony: what its coordinator decides. Amounts are SOMA. After a change, build and sign
# again.

";

const SIGNATURE_HEAD: &str = "\
# A validator's signature on the built genesis, by its consensus key.

";

/// A validator as the coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its own stake, out of the supply.
    pub stake: Soma,
    /// What it tells about itself.
    pub info: ValidatorInfo,
}

/// Whether a listed validator has signed the built genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not yet.
    Unsigned,
    /// Yes.
    Signed,
    /// Its signature is for another genesis, or does not hold.
    Invalid(String),
}

/// A ceremony in its folder.
#[derive(Clone, Debug)]
pub struct Ceremony {
    folder: PathBuf,
    draft: Draft,
}

impl Ceremony {
    /// Begins a ceremony in `folder`.
    ///
    /// # Errors
    /// [`CeremonyError::Begun`], a draft that no chain can start with, or a file that cannot be
    /// written.
    pub fn begin(folder: &Path, draft: Draft) -> Result<Self, CeremonyError> {
        draft.check()?;
        let ceremony = Self {
            folder: folder.to_owned(),
            draft,
        };
        if ceremony.draft_path().exists() {
            return Err(CeremonyError::Begun(folder.to_owned()));
        }
        ceremony.save()?;
        Ok(ceremony)
    }

    /// Opens the ceremony in `folder`.
    ///
    /// # Errors
    /// [`CeremonyError::NotBegun`], or a file that is none of a ceremony.
    pub fn open(folder: &Path) -> Result<Self, CeremonyError> {
        let path = folder.join("ceremony.toml");
        let draft = files::read(&path)?;
        Ok(Self {
            folder: folder.to_owned(),
            draft: draft.ok_or_else(|| CeremonyError::NotBegun(folder.to_owned()))?,
        })
    }

    fn save(&self) -> Result<(), CeremonyError> {
        files::write(&self.draft_path(), DRAFT_HEAD, &self.draft)
    }

    fn draft_path(&self) -> PathBuf {
        self.folder.join("ceremony.toml")
    }

    fn validator_path(&self, address: &Address) -> PathBuf {
        let name = format!("{address}.toml");
        self.folder.join("validators").join(name)
    }

    fn signature_path(&self, address: &Address) -> PathBuf {
        let name = format!("{address}.toml");
        self.folder.join("signatures").join(name)
    }

    /// The built genesis, for the validators to sign.
    pub fn unsigned_path(&self) -> PathBuf {
        self.folder.join("genesis.unsigned.json")
    }

    /// The genesis that all have signed, for the nodes.
    pub fn genesis_path(&self) -> PathBuf {
        self.folder.join("genesis.json")
    }

    /// The signatures on it.
    pub fn signatures_path(&self) -> PathBuf {
        self.folder.join("signatures.json")
    }

    /// What the coordinator decided.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Funds an account; an amount of zero removes it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn fund(&mut self, address: Address, amount: Shannons) -> Result<(), CeremonyError> {
        match amount.is_zero() {
            true => self.draft.accounts.remove(&address),
            false => self.draft.accounts.insert(address, Soma(amount)),
        };
        self.save()
    }

    /// Lists the validator that `path` tells about, with its stake. Listed again, it replaces what
    /// it told before.
    ///
    /// # Errors
    /// What it cannot prove, or shares with another validator; a stake of zero.
    pub fn add_validator(&self, path: &Path, stake: Shannons) -> Result<Listed, CeremonyError> {
        let listed = Listed {
            stake: Soma(stake),
            info: ValidatorInfo::read(path)?,
        };
        self.check_listed(path, &listed)?;
        let address = listed.info.address;
        let mut all = self.validators()?;
        all.retain(|other| other.info.address != address);
        all.push(listed.clone());
        check_unique(&all)?;
        files::write(&self.validator_path(&address), "", &listed)?;
        Ok(listed)
    }

    fn check_listed(&self, path: &Path, listed: &Listed) -> Result<(), CeremonyError> {
        let checked = listed.info.check_for_genesis(&self.draft.chain);
        checked.map_err(|error| CeremonyError::Info {
            path: path.to_owned(),
            error,
        })?;
        match listed.stake.0.is_zero() {
            true => Err(CeremonyError::NoStake),
            false => Ok(()),
        }
    }

    /// The listed validators in order of address, checked.
    ///
    /// # Errors
    /// A file that is none, what a validator cannot prove or shares with another.
    pub fn validators(&self) -> Result<Vec<Listed>, CeremonyError> {
        let mut all = Vec::new();
        for path in files::in_folder(&self.folder.join("validators"))? {
            if let Some(listed) = files::read::<Listed>(&path)? {
                self.check_listed(&path, &listed)?;
                all.push(listed);
            }
        }
        all.sort_by_key(|listed| listed.info.address);
        check_unique(&all)?;
        Ok(all)
    }

    /// Lists the model in `path`, in place of one of the same owner with the same weights.
    ///
    /// # Errors
    /// A file that is no model, an embedding of another dimension than the chain's, weights that nobody
    /// can download or that are listed for another owner.
    pub fn add_model(&self, path: &Path) -> Result<Model, CeremonyError> {
        let model: Model = files::read_named(path)?;
        let (got, expected) = (model.embedding.dim(), self.draft.embedding_dim()?);
        if got as u64 != expected {
            return Err(CeremonyError::Dimension {
                path: path.to_owned(),
                got,
                expected,
            });
        }
        let url = model.weights.url.as_str();
        let may_be_there = Url::parse(url).is_ok_and(|url| SCHEMES.contains(&url.scheme()));
        if !may_be_there || model.weights.size == 0 {
            let (url, size) = (url.to_owned(), model.weights.size);
            return Err(CeremonyError::NoWeights {
                path: path.to_owned(),
                url,
                size,
            });
        }
        let name = format!("{}.toml", model.weights.plaintext_checksum);
        let listed = self.folder.join("models").join(name);
        let before = files::read::<Model>(&listed)?;
        if before.is_some_and(|before| before.owner != model.owner) {
            return Err(CeremonyError::ModelListed(listed));
        }
        files::write(&listed, "", &model)?;
        Ok(model)
    }

    /// The listed models, in order of their weights' checksum.
    ///
    /// # Errors
    /// A file that is none.
    pub fn models(&self) -> Result<Vec<Model>, CeremonyError> {
        let mut models: Vec<Model> = Vec::new();
        for path in files::in_folder(&self.folder.join("models"))? {
            models.extend(files::read::<Model>(&path)?);
        }
        models.sort_by_key(|model| model.weights.plaintext_checksum);
        Ok(models)
    }

    /// The genesis that the folder gives now: the same for everybody who has the same files.
    ///
    /// # Errors
    /// A file that is none, what a validator cannot prove or shares with another.
    pub fn genesis(&self) -> Result<Genesis, CeremonyError> {
        self.draft.check()?;
        let draft = self.draft.clone();
        let accounts = draft.accounts.into_iter();
        let validators = self.validators()?.into_iter();
        let models = self.models()?.into_iter();
        Ok(Genesis {
            chain: draft.chain,
            protocol_version: draft.protocol_version,
            parameters: draft.parameters,
            time_ms: draft.time_ms,
            emission_per_epoch: draft.emission_per_epoch.0,
            allow_forced_epochs: draft.allow_forced_epochs,
            full_emission_on_forced_epochs: draft.full_emission_on_forced_epochs,
            accounts: accounts
                .map(|(address, Soma(balance))| GenesisAccount { address, balance })
                .collect(),
            validators: validators.map(genesis_validator).collect(),
            models: models.map(GenesisModel::from).collect(),
        })
    }

    /// Checks everything, and gives what the genesis would be like.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<Summary, CeremonyError> {
        Summary::of(&self.genesis()?)
    }

    /// Builds the genesis for the validators to sign.
    ///
    /// # Errors
    /// As [`Ceremony::check`].
    pub fn build(&self) -> Result<Summary, CeremonyError> {
        let genesis = self.genesis()?;
        let summary = Summary::of(&genesis)?;
        self.write_json(&self.unsigned_path(), genesis_json(&genesis))?;
        Ok(summary)
    }

    /// The built genesis, which must be what the folder gives now.
    ///
    /// # Errors
    /// [`CeremonyError::NotBuilt`], [`CeremonyError::Stale`], or as [`Ceremony::check`].
    pub fn built(&self) -> Result<Genesis, CeremonyError> {
        let path = self.unsigned_path();
        if !path.exists() {
            return Err(CeremonyError::NotBuilt(self.folder.clone()));
        }
        let (built, now) = (read_genesis(&path)?, self.genesis()?);
        if built != now {
            let (built, now) = (soma_chain::chain_id(&built), soma_chain::chain_id(&now));
            return Err(CeremonyError::Stale { path, built, now });
        }
        Ok(built)
    }

    /// Signs the built genesis as the validator whose consensus key is `key`.
    ///
    /// # Errors
    /// [`CeremonyError::NotListed`], or as [`Ceremony::built`].
    pub fn sign(&self, key: &SecretKey) -> Result<Approval, CeremonyError> {
        let genesis = self.built()?;
        Summary::of(&genesis)?;
        let public = key.public_key();
        let mut validators = genesis.validators.iter();
        let signer = validators.find(|listed| listed.metadata.consensus_key == public);
        let signer = signer.ok_or(CeremonyError::NotListed(public))?.address;
        let approval = Approval::sign(soma_chain::chain_id(&genesis), signer, key);
        files::write(&self.signature_path(&signer), SIGNATURE_HEAD, &approval)?;
        Ok(approval)
    }

    /// Who has signed the genesis of `chain_id`, in order of address.
    ///
    /// # Errors
    /// A file that is no signature.
    pub fn standing(
        &self,
        genesis: &Genesis,
        chain_id: &ChainId,
    ) -> Result<Vec<(Address, Standing)>, CeremonyError> {
        let mut all = Vec::new();
        for listed in &genesis.validators {
            let approval: Option<Approval> = files::read(&self.signature_path(&listed.address))?;
            let standing = match approval.map(|approval| approval.check(genesis, chain_id)) {
                None => Standing::Unsigned,
                Some(Ok(())) => Standing::Signed,
                Some(Err(error)) => Standing::Invalid(error.to_string()),
            };
            all.push((listed.address, standing));
        }
        Ok(all)
    }

    /// Writes the genesis for the nodes, once every validator has signed it.
    ///
    /// # Errors
    /// [`CeremonyError::Unsigned`], [`CeremonyError::Approval`], or as [`Ceremony::built`].
    pub fn finalize(&self) -> Result<(Summary, Approvals), CeremonyError> {
        let genesis = self.built()?;
        let summary = Summary::of(&genesis)?;
        let mut signatures: Vec<Approval> = Vec::new();
        for listed in &genesis.validators {
            signatures.extend(files::read::<Approval>(
                &self.signature_path(&listed.address),
            )?);
        }
        let approvals = Approvals {
            chain: genesis.chain.clone(),
            chain_id: summary.chain_id,
            signatures,
        };
        approvals.check(&genesis)?;
        let text = serde_json::to_string_pretty(&approvals).map(|text| text + "\n");
        self.write_json(&self.signatures_path(), text)?;
        // The genesis last: it marks a ceremony that is over.
        self.write_json(&self.genesis_path(), genesis_json(&genesis))?;
        Ok((summary, approvals))
    }

    fn write_json(
        &self,
        path: &Path,
        text: Result<String, serde_json::Error>,
    ) -> Result<(), CeremonyError> {
        let text = text.map_err(|error| CeremonyError::content(path, error))?;
        files::write_text(path, &text)
    }
}

fn genesis_validator(listed: Listed) -> GenesisValidator {
    GenesisValidator {
        address: listed.info.address,
        metadata: listed.info.metadata,
        commission: listed.info.commission_bps,
        stake: listed.stake.0,
    }
}

/// Keys and peer addresses are of one validator each.
fn check_unique(all: &[Listed]) -> Result<(), CeremonyError> {
    for (index, listed) in all.iter().enumerate() {
        let metadata = &listed.info.metadata;
        for other in all.iter().take(index) {
            let same = &other.info.metadata;
            let taken = |field, value: String| CeremonyError::Taken {
                field,
                value,
                other: other.info.address,
            };
            if other.info.address == listed.info.address {
                return Err(taken("address", listed.info.address.to_string()));
            }
            if same.consensus_key == metadata.consensus_key {
                return Err(taken("consensus key", metadata.consensus_key.to_string()));
            }
            let address = metadata.p2p_address.as_str();
            if same.p2p_address.as_str() == address && !address.is_empty() {
                return Err(taken("p2p address", address.to_owned()));
            }
        }
    }
    Ok(())
}
