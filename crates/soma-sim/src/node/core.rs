//! The engine's consensus, driven step by step: what its actor does with each effect, without the
//! actor.

use std::io;

use malachite::app::config::ConsensusConfig as EngineDefaults;
use malachite::app::consensus::{self, Input, Params, State};
use malachite::app::metrics::Metrics;
use malachite::app::types::core::{ValidatorSet as _, ValueOrigin, ValuePayload, ValueResponse};
use malachite::app::types::{LocallyProposedValue, ProposedValue};
use soma_consensus::context::{Address, Height, SomaContext};
use soma_consensus::host::HeightStart;
use soma_consensus::signing::ChainVerifier;
use soma_consensus::{ChainApplication, ConsensusError, Host};
use thiserror::Error;

use super::shell::Shell;
use super::wal::Wal;
use crate::disk::VirtualStore;
use crate::mempool::Mempool;
use crate::time::Clock;

pub(super) type CoreError = consensus::Error<SomaContext>;

/// The application that nodes run.
pub(crate) type App = ChainApplication<VirtualStore, Mempool>;

/// Why a node stopped.
#[derive(Debug, Error)]
pub(crate) enum Stop {
    /// Its disk failed.
    #[error("the write-ahead log failed: {0}")]
    Wal(#[from] io::Error),
    /// Its side of agreement failed.
    #[error(transparent)]
    Host(#[from] ConsensusError),
    /// The engine failed.
    #[error("the engine failed: {0}")]
    Engine(String),
    /// It was to sign, but has no key.
    #[error("a node without a key was asked to sign")]
    NoKey,
}

/// What waits to be done, in order, as messages between the engine's actors would.
pub(crate) enum Mail {
    Start(Box<HeightStart>),
    Propose(LocallyProposedValue<SomaContext>),
    Proposed(ProposedValue<SomaContext>, ValueOrigin),
    /// A decided block from a peer, and the question that it answers.
    Synced(u64, ValueResponse<SomaContext>),
    Sync(SyncMail),
}

/// What the catching-up side is told.
pub(crate) enum SyncMail {
    Started(Height),
    Committed(Height),
    /// A block of the answer to this question was bad.
    Fault(Height, u64),
    /// A block could not be taken now.
    Transient(Height),
}

/// Something that the checker wants to hear of.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// A block was committed, and this was acknowledged.
    Committed(u64),
    /// A block came from another node's store, and consensus took it.
    Synced,
    /// At this height the engine saw these validators contradict themselves.
    Evidence(u64, Vec<soma_types::Address>),
}

/// The engine's consensus of a node.
pub(crate) struct Core {
    pub(crate) shell: Shell,
    state: Option<State<SomaContext>>,
    metrics: Metrics,
    address: Address,
}

impl Core {
    pub(crate) fn new(host: Host<App>, wal: Wal, verifier: ChainVerifier, clock: Clock) -> Self {
        let nobody = soma_types::Address([0; 32]);
        let address = Address(host.validator().unwrap_or(nobody));
        Self {
            shell: Shell::new(host, wal, verifier, clock),
            state: None,
            // They follow the steps of one node.
            metrics: Metrics::default(),
            address,
        }
    }

    /// Gives the engine's consensus an input and does what it asks for.
    pub(crate) fn process(&mut self, input: Input<SomaContext>) -> Result<(), Stop> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        let shell = &mut self.shell;
        let result: Result<(), CoreError> = consensus::process!(
            input: input,
            state: state,
            metrics: &self.metrics,
            with: effect => shell.handle(effect)
        );
        match self.shell.stop.take() {
            Some(stop) => Err(stop),
            None => result.map_err(|error| Stop::Engine(error.to_string())),
        }
    }

    /// A decided block from a peer.
    pub(crate) fn process_synced(
        &mut self,
        request: u64,
        response: ValueResponse<SomaContext>,
    ) -> Result<(), Stop> {
        self.shell.request = Some(request);
        let result = self.process(Input::SyncValueResponse(response));
        self.shell.request = None;
        result
    }

    /// Starts a height, and brings back what the log knows of it.
    pub(crate) fn start(&mut self, start: HeightStart) -> Result<(), Stop> {
        let (height, parameters) = start;
        let validators = parameters.validator_set;
        if self.state.is_none() {
            let defaults = EngineDefaults::default();
            let params = Params {
                address: self.address,
                threshold_params: Default::default(),
                value_payload: ValuePayload::ProposalAndParts,
                enabled: true,
            };
            self.state = Some(State::new(
                SomaContext,
                height,
                validators.clone(),
                params,
                defaults.queue_capacity,
                defaults.queue_per_height_capacity,
            ));
        }
        let shell = &mut self.shell;
        shell.is_validator = validators.get_by_address(&self.address).is_some();
        let entries = match shell.is_validator {
            true => shell.wal.start(height)?,
            false => {
                shell.wal.reset(height)?;
                Vec::new()
            }
        };
        shell.timeouts = parameters.timeouts;
        let policy = parameters.vote_extension_policy;
        let target = parameters.target_time;
        let input = Input::StartHeight(height, validators, false, target, policy);
        self.process(input)?;
        if !entries.is_empty() {
            self.shell.is_recovering = true;
            let result = self.replay(entries);
            self.shell.is_recovering = false;
            result?;
        }
        let started = Mail::Sync(SyncMail::Started(height));
        self.shell.mailbox.push_back(started);
        Ok(())
    }

    fn replay(&mut self, entries: Vec<Input<SomaContext>>) -> Result<(), Stop> {
        if let Some(state) = &mut self.state {
            state.record_recovered_own_precommit_extensions(entries.iter());
            state.index_wal_entries(entries.iter());
        }
        for entry in entries {
            self.process(entry)?;
        }
        if let Some(state) = &mut self.state {
            state.reset_entries_index();
        }
        Ok(())
    }
}
