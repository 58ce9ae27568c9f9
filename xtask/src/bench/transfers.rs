//! Transfers from signed bytes to committed state, against bare verification of the same
//! signatures on the same threads.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use k256::ecdsa::VerifyingKey;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use soma_chain::{Chain, ChainConfig, SledStore, Store, VerifiedProposal};
use soma_crypto::transaction::{VerifiedTransaction, sign, transaction_digest, verify_with};
use soma_crypto::{SecretKey, Verifier, verify_digest};
use soma_types::codec::{decode, encode};
use soma_types::genesis::ChainName;
use soma_types::validator::MetadataText;
use soma_types::{
    Address, Bps, ChainId, Genesis, GenesisAccount, GenesisValidator, PublicKey, Shannons,
    Signature, SignedTransaction, Transaction, TransactionKind, ValidatorMetadata,
};

use super::{Measure, median};

const ACCOUNTS: usize = 10_000;
const TRANSFERS_PER_BLOCK: usize = 4_000;
const RUNS: usize = 5;

/// Key number `seed`.
pub(crate) fn key(seed: u64) -> Result<SecretKey> {
    let bytes = soma_crypto::hash(soma_crypto::Domain::StateKey, seed.to_le_bytes());
    SecretKey::from_bytes(&bytes).map_err(|error| anyhow!("{error}"))
}

/// A genesis with one validator, funded accounts, and no targets.
pub(crate) fn genesis(accounts: Vec<Address>) -> Result<Genesis> {
    let validator = key(u64::MAX)?;
    let text = |text: &str| MetadataText::new(text).map_err(|error| anyhow!("{error}"));
    let soma = |amount| Shannons::from_soma(amount).context("within the supply");
    let balance = Shannons(5_000_000_000_000_000 / accounts.len() as u64);
    let mut accounts: Vec<_> = accounts
        .into_iter()
        .map(|address| GenesisAccount { address, balance })
        .collect();
    accounts.sort_by_key(|account| account.address);
    Ok(Genesis {
        chain: ChainName::new("bench").map_err(|error| anyhow!("{error}"))?,
        protocol_version: 1,
        parameters: Default::default(),
        time_ms: 1_700_000_000_000,
        emission_per_epoch: soma(1_370)?,
        allow_forced_epochs: true,
        full_emission_on_forced_epochs: false,
        accounts,
        validators: vec![GenesisValidator {
            address: validator.address(),
            metadata: ValidatorMetadata {
                name: text("bench")?,
                consensus_key: validator.public_key(),
                p2p_address: text("/ip4/127.0.0.1/tcp/1")?,
                rpc_address: text("")?,
                proxy_address: text("")?,
            },
            commission: Bps::ZERO,
            stake: soma(1_000)?,
        }],
        models: Vec::new(),
    })
}

/// Signed transfers between random accounts, encoded as they come from the network.
fn signed_bytes(chain_id: ChainId, keys: &[SecretKey], count: usize) -> Vec<Vec<u8>> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let addresses: Vec<Address> = keys.iter().map(SecretKey::address).collect();
    let mut nonces = vec![0u64; keys.len()];
    let plans: Vec<(usize, u64, Address)> = (0..count)
        .map(|_| {
            let from = (rng.next_u64() % keys.len() as u64) as usize;
            let to = addresses[(rng.next_u64() % keys.len() as u64) as usize];
            nonces[from] += 1;
            (from, nonces[from] - 1, to)
        })
        .collect();
    plans
        .par_iter()
        .map(|(from, nonce, recipient)| {
            let kind = TransactionKind::Transfer {
                recipient: *recipient,
                amount: Shannons(1_000),
            };
            let transaction = Transaction {
                chain_id,
                sender: addresses[*from],
                nonce: *nonce,
                expiry_height: u64::MAX,
                kind,
            };
            encode(&sign(transaction, &keys[*from]))
        })
        .collect()
}

fn check(verifier: &Verifier, bytes: &[Vec<u8>]) -> Result<Vec<VerifiedTransaction>> {
    let checked = bytes.par_iter().map(|bytes| {
        let signed: SignedTransaction = decode("a transaction", bytes)?;
        Ok(verify_with(verifier, signed)?)
    });
    checked.collect()
}

/// Makes the next block of `transactions`.
pub(crate) fn make_block<S: Store>(
    chain: &Chain<S>,
    transactions: Vec<VerifiedTransaction>,
) -> Result<()> {
    let head = chain.head();
    let executed = chain.execute(&VerifiedProposal {
        height: head.header.height + 1,
        time_ms: head.header.time_ms + 1,
        parent: head.digest,
        proposer: key(u64::MAX)?.address(),
        transactions,
        misbehavior: Vec::new(),
        end_epoch: false,
    })?;
    let failed = executed
        .receipts
        .iter()
        .filter(|r| !r.status.is_success())
        .count();
    anyhow::ensure!(failed == 0, "{failed} transfers failed");
    chain.commit(executed)?;
    Ok(())
}

/// While one block is executed and committed, the signatures of the next are checked.
fn run_ours(genesis: &Genesis, bytes: &[Vec<u8>]) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let store = SledStore::open(folder.path(), 256 << 20)?;
    let chain = Chain::open(store, genesis, ChainConfig::default())?;
    let verifier = Verifier::new(2 * ACCOUNTS);
    let check = |bytes: &[Vec<u8>]| check(&verifier, bytes);
    let start = Instant::now();
    let mut blocks = bytes.chunks(TRANSFERS_PER_BLOCK);
    let mut ready = blocks.next().map(check).transpose()?;
    while let Some(block) = ready.take() {
        let next = blocks.next();
        let (made, checked) =
            rayon::join(|| make_block(&chain, block), || next.map(check).transpose());
        made?;
        ready = checked?;
    }
    Ok(bytes.len() as f64 / start.elapsed().as_secs_f64())
}

/// A key, what it signed, and the signature.
type Signed = (PublicKey, [u8; 32], Signature);

/// Bare verifications per second: the digest is at hand.
fn run_bare(signatures: &[Signed], verify: fn(&Signed) -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    signatures.par_iter().try_for_each(verify)?;
    Ok(signatures.len() as f64 / start.elapsed().as_secs_f64())
}

fn by_k256((key, digest, signature): &Signed) -> Result<()> {
    let key = VerifyingKey::from_sec1_bytes(&key.0)?;
    let signature = k256::ecdsa::Signature::from_slice(&signature.0)?;
    Ok(key.verify_prehash(digest, &signature)?)
}

fn as_here((key, digest, signature): &Signed) -> Result<()> {
    Ok(verify_digest(key, digest, signature)?)
}

/// Transfers per second.
pub(crate) fn measure(threads: usize, count: usize) -> Result<Vec<Measure>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    pool.install(|| {
        let keys = (0..ACCOUNTS as u64).map(key).collect::<Result<Vec<_>>>()?;
        let genesis = genesis(keys.iter().map(SecretKey::address).collect())?;
        let chain_id = soma_chain::chain_id(&genesis);
        let bytes = signed_bytes(chain_id, &keys, count);
        let signatures = bytes
            .iter()
            .map(|bytes| {
                let signed: SignedTransaction = decode("a transaction", bytes)?;
                let digest = transaction_digest(&signed.transaction);
                Ok((signed.public_key, digest.0, signed.signature))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let bare = run_bare(&signatures, by_k256)?;
            let own = run_bare(&signatures, as_here)?;
            runs.push((run_ours(&genesis, &bytes)?, bare, own));
        }
        let row = |peer: &str, pick: fn(&(f64, f64, f64)) -> f64| Measure {
            measure: format!("transfers, {threads} threads, peer: bare {peer} verification"),
            ratio: Some(median(runs.iter().map(|run| run.0 / pick(run)).collect())),
            ours: median(runs.iter().map(|run| run.0).collect()),
            peer: Some(median(runs.iter().map(pick).collect())),
            unit: "transfers/s",
        };
        Ok(vec![
            row("k256", |run| run.1),
            row("libsecp256k1", |run| run.2),
        ])
    })
}
