//! Cost of a block as the number of accounts grows.

use std::time::Instant;

use anyhow::Result;
use rayon::prelude::*;
use soma_chain::{Chain, ChainConfig, SledStore};
use soma_crypto::transaction::{sign, verify};
use soma_types::{Address, Shannons, Transaction, TransactionKind};

use super::transfers::{genesis, key, make_block};
use super::{Measure, median};

const SENDERS: u64 = 1_000;
const BLOCKS: u64 = 20;

/// Time of a block with 1,000 transfers to accounts all over the state, for states of 10^3
/// accounts and more; each against the smallest.
pub(crate) fn measure(threads: usize, most: usize) -> Result<Vec<Measure>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    pool.install(|| {
        let mut measures: Vec<Measure> = Vec::new();
        let mut accounts = 1_000;
        while accounts <= most {
            let ours = run(accounts)?;
            let peer = measures.first().map_or(ours, |first| first.ours);
            measures.push(Measure {
                measure: format!("block of 1,000 transfers, {accounts} accounts"),
                ratio: Some(peer / ours),
                ours,
                peer: Some(peer),
                unit: "ms/block",
            });
            accounts *= 10;
        }
        Ok(measures)
    })
}

fn run(accounts: usize) -> Result<f64> {
    let senders = (0..SENDERS).map(key).collect::<Result<Vec<_>>>()?;
    let mut addresses: Vec<Address> = senders.iter().map(|key| key.address()).collect();
    addresses.extend((SENDERS..accounts as u64).map(|n| {
        Address(soma_crypto::hash(
            soma_crypto::Domain::Address,
            n.to_le_bytes(),
        ))
    }));
    let genesis = genesis(addresses.clone())?;
    let chain_id = soma_chain::chain_id(&genesis);
    let folder = tempfile::tempdir()?;
    let store = SledStore::open(folder.path(), 256 << 20)?;
    let chain = Chain::open(store, &genesis, ChainConfig::default())?;
    let mut times = Vec::new();
    for block in 0..BLOCKS {
        let transactions = senders
            .par_iter()
            .enumerate()
            .map(|(index, sender)| {
                let place = block
                    .wrapping_mul(7_919)
                    .wrapping_add(index as u64 * 104_729);
                let recipient = addresses[(place % addresses.len() as u64) as usize];
                let kind = TransactionKind::Transfer {
                    recipient,
                    amount: Shannons(1),
                };
                let transaction = Transaction {
                    chain_id,
                    sender: sender.address(),
                    nonce: block,
                    expiry_height: u64::MAX,
                    kind,
                };
                Ok(verify(sign(transaction, sender))?)
            })
            .collect::<Result<Vec<_>>>()?;
        let start = Instant::now();
        make_block(&chain, transactions)?;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(median(times))
}
