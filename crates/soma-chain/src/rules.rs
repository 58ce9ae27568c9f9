//! Rules that a chain's genesis fixes for good.

use soma_types::parameters::ParameterError;
use soma_types::{ChainId, Genesis, ParameterTable};

/// What execution needs of the genesis.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The chain.
    pub chain_id: ChainId,
    /// Parameters of all versions, with the genesis overrides.
    pub table: ParameterTable,
    /// Whether an epoch may be ended before its time.
    pub allow_forced_epochs: bool,
    /// Whether a forced epoch releases a whole emission.
    pub full_emission_on_forced_epochs: bool,
}

impl Rules {
    /// The rules of `genesis`, with this build's parameter table.
    ///
    /// # Errors
    /// A parameter override that is unknown or breaks the protocol.
    pub fn new(genesis: &Genesis) -> Result<Self, ParameterError> {
        Self::with_table(genesis, ParameterTable::new(genesis.parameters.clone())?)
    }

    /// The rules of `genesis`, with a table of one's own.
    ///
    /// # Errors
    /// When the table does not know the genesis version.
    pub fn with_table(genesis: &Genesis, table: ParameterTable) -> Result<Self, ParameterError> {
        table.at(genesis.protocol_version)?;
        Ok(Self {
            chain_id: crate::genesis::chain_id(genesis),
            table,
            allow_forced_epochs: genesis.allow_forced_epochs,
            full_emission_on_forced_epochs: genesis.full_emission_on_forced_epochs,
        })
    }
}
