//! Starting a chain and opening one that was started before.

use std::sync::Arc;

use soma_targets::ModelIndex;
use soma_types::codec::{decode, encode};
use soma_types::{Genesis, Header, Height, Parameters, SystemState};

use super::{Committed, Head};
use crate::commit::Diff;
use crate::error::{BlockError, ChainError, GenesisError};
use crate::execute::Parent;
use crate::genesis;
use crate::header;
use crate::key::Key;
use crate::models::load_models;
use crate::rows;
use crate::rules::Rules;
use crate::state::{Changes, read_entry};
use crate::store::{Batch, Store};
use crate::tree::{StateTree, tree_error};

/// Starts a chain: executes the genesis and stores it.
pub(super) fn start<S: Store>(
    store: &S,
    genesis: &Genesis,
    rules: &Rules,
) -> Result<Committed, ChainError> {
    let pool = genesis::check(genesis)?;
    let parameters = rules
        .table
        .at(genesis.protocol_version)
        .map_err(GenesisError::from)?;
    let system = genesis::system(genesis, pool, &parameters);
    let models = ModelIndex::new(dimension(&parameters));
    let parameters = Arc::new(parameters);
    let parent = Parent {
        store,
        models: &models,
        system,
        parameters,
        rules,
    };
    let execution = genesis::execute(&parent, genesis)?;
    let diff = Diff::of(store, execution.changes, execution.committed)?;

    let mut tree = StateTree::default();
    let update = tree.update(store, &diff.new)?;
    let head = header::genesis(rules.chain_id, genesis.time_ms, update.root);
    tree.absorb(store, update, 0, 0)?;
    let mut batch = Batch::default();
    diff.write_entries(&mut batch);
    diff.write_indexes(&mut batch);
    tree.write(&mut batch, 0, true);
    batch.put(rows::GENESIS.to_vec(), encode(genesis));
    batch.put(rows::HEAD.to_vec(), encode(&head.header));
    store.apply(batch)?;
    store.flush()?;

    let models = load_models(store, dimension(&execution.parameters))?;
    Ok(Committed {
        head,
        system: execution.system,
        parameters: execution.parameters,
        models,
        tree,
        tree_height: 0,
    })
}

/// Opens a chain that was started before, and brings the tree up to date.
pub(super) fn reopen<S: Store>(
    store: &S,
    rules: &Rules,
    head: &[u8],
) -> Result<Committed, ChainError> {
    let header: Header = decode("the head", head).map_err(tree_error)?;
    if header.chain_id != rules.chain_id {
        let (stored, genesis) = (header.chain_id, rules.chain_id);
        return Err(ChainError::OtherChain { stored, genesis });
    }
    let key = Key::System.to_bytes();
    let bytes = store
        .get(&key)?
        .ok_or_else(|| tree_error("the system state is missing"))?;
    let system: SystemState = read_entry(&key, &bytes)?;
    let parameters = rules
        .table
        .at(system.protocol_version)
        .map_err(BlockError::Upgrade)?;

    let (mut tree, tree_height) = StateTree::open(store)?;
    let mut changed = Changes::new();
    for height in tree_height + 1..=header.height {
        for (key, _) in crate::commit::read_undo(store, height)? {
            let value = store.get(&key)?;
            changed.insert(key, value);
        }
    }
    catch_up(store, &mut tree, changed, tree_height, header.height)?;
    let root = tree.root(store)?;
    if root != header.state_root {
        let text = format!("root {root} is not the header's, {}", header.state_root);
        return Err(ChainError::Tree(text));
    }
    tree.note_height(header.height);
    let models = load_models(store, dimension(&parameters))?;
    let head = Head {
        header,
        digest: header::digest(&header),
    };
    Ok(Committed {
        head,
        system,
        parameters: Arc::new(parameters),
        models,
        tree,
        tree_height,
    })
}

/// Applies to the tree what changed since its last write.
fn catch_up<S: Store>(
    store: &S,
    tree: &mut StateTree,
    mut changed: Changes,
    from: Height,
    to: Height,
) -> Result<(), ChainError> {
    // An entry made and removed since then was never in the tree.
    let mut absent = Vec::new();
    for (key, value) in &changed {
        if value.is_none() && !tree.has(store, key)? {
            absent.push(key.clone());
        }
    }
    for key in absent {
        changed.remove(&key);
    }
    if to > from {
        let update = tree.update(store, &changed)?;
        tree.absorb(store, update, to, 0)?;
    }
    Ok(())
}

pub(crate) fn dimension(parameters: &Parameters) -> usize {
    usize::try_from(parameters.target_embedding_dim).unwrap_or(usize::MAX)
}
