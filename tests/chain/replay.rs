//! The same blocks give the same chain: on any number of threads, and after any restart.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_chain::{
    Chain, ChainConfig, Key, MemoryStore, SledStore, Store, VerifiedProposal, verify_proof,
};
use soma_tests::game::Game;
use soma_tests::world::World;
use soma_types::{Address, Digest, ExecutionStatus, Header};

/// A played game: its world, and the header and digest of every block.
fn played(seed: u64, operations: u64) -> (World, Vec<(Header, Digest)>) {
    let mut game = Game::new(seed);
    game.play(operations);
    let world = game.world;
    let header = |proposal: &VerifiedProposal| {
        let block = world.read().block(proposal.height).expect("readable");
        let header = block.expect("kept").header;
        (header, soma_chain::header::digest(&header))
    };
    let headers = world.proposals.iter().map(header).collect();
    (world, headers)
}

/// The chain of `world` in a store of its own.
fn open<S: Store>(world: &World, store: S) -> Chain<S> {
    let rules = world.chain.rules().clone();
    let chain = Chain::open_with_rules(store, &world.genesis, rules, ChainConfig::default());
    chain.expect("the same genesis")
}

/// Executes and commits one block, which must have the same header as before.
fn step<S: Store>(chain: &Chain<S>, proposal: &VerifiedProposal, expected: &(Header, Digest)) {
    let executed = chain.execute(proposal).expect("a valid block");
    let header = executed.block.header;
    assert_eq!(
        header.state_root, expected.0.state_root,
        "at height {}",
        header.height
    );
    assert_eq!(
        header.receipts_root, expected.0.receipts_root,
        "at height {}",
        header.height
    );
    assert_eq!((header, executed.digest), *expected);
    chain.commit(executed).expect("a store that works");
}

#[test]
fn a_replayed_game_has_the_same_headers_on_one_thread_and_on_two() {
    let (world, headers) = played(7, 2_500);
    assert!(headers.len() > 150);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads").install(|| {
            let chain = open(&world, MemoryStore::new());
            for (proposal, expected) in world.proposals.iter().zip(&headers) {
                step(&chain, proposal, expected);
            }
            assert_eq!(chain.head(), world.chain.head());
            assert_eq!(chain.system(), world.chain.system());
        });
    }
}

#[test]
fn the_state_root_of_game_seven_is_the_one_that_is_written_down() {
    let (_, headers) = played(7, 2_500);
    let (last, digest) = headers.last().expect("blocks");
    let found = format!(
        "game 7, 2500 operations\nheight {}\nepoch {}\nstate root {}\nblock {digest}\n",
        last.height, last.epoch, last.state_root
    );
    let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap())
        .join("chain/golden/state-root-v1.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).expect("a writable folder");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, written,
        "the rules of the chain changed; if that is meant, run with UPDATE_GOLDEN=1"
    );
}

/// What must be the same after a restart.
fn look<S: Store>(chain: &Chain<S>, world: &World) -> impl PartialEq + use<S> {
    let keys = [
        Key::System,
        Key::Supply,
        Key::Account(world.users[0]),
        Key::Account(Address([9; 32])),
        Key::Validator(world.validators[1]),
    ];
    let proofs = keys.map(|key| chain.prove(&key).expect("provable"));
    for proof in &proofs {
        verify_proof(proof).expect("as it was made");
    }
    let supply = chain.reader().supply().expect("readable");
    assert_eq!(chain.reader().recount_supply().expect("adds up"), supply);
    let parameters = (*chain.parameters()).clone();
    let state = (chain.head(), chain.system(), chain.active_models());
    (state, supply, parameters, proofs)
}

/// Replays a game and opens the chain anew after random numbers of blocks.
fn replay_with_restarts<S: Store>(seed: u64, store: impl Fn() -> S) {
    let (world, headers) = played(seed, 1_200);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut chain = open(&world, store());
    let mut until_restart = 0;
    let mut restarts = 0;
    for (proposal, expected) in world.proposals.iter().zip(&headers) {
        if until_restart == 0 {
            if rng.next_u32() % 2 == 0 {
                chain.flush().expect("a store that works");
            }
            let before = look(&chain, &world);
            drop(chain);
            chain = open(&world, store());
            assert!(
                look(&chain, &world) == before,
                "at height {}",
                proposal.height
            );
            until_restart = 1 + rng.next_u32() % 12;
            restarts += 1;
        }
        until_restart -= 1;
        step(&chain, proposal, expected);
    }
    assert!(restarts > 8, "{restarts} restarts");
    assert_eq!(chain.head(), world.chain.head());
}

#[test]
fn a_chain_in_memory_goes_on_as_if_it_had_never_stopped() {
    for seed in 20..23 {
        let store = Arc::new(MemoryStore::new());
        replay_with_restarts(seed, || Arc::clone(&store));
    }
}

/// A background thread gives up the lock of a store that was just dropped.
fn open_again(folder: &Path) -> SledStore {
    for _ in 0..1_000 {
        match SledStore::open(folder, 1 << 20) {
            Ok(store) => return store,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    SledStore::open(folder, 1 << 20).expect("a folder that nobody uses")
}

#[test]
fn a_chain_on_disk_goes_on_as_if_it_had_never_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    replay_with_restarts(30, || open_again(folder.path()));
}

#[test]
fn a_simulation_changes_nothing_and_foresees_the_receipt() {
    let (world, headers) = played(11, 1_500);
    let chain = open(&world, MemoryStore::new());
    let mut foreseen = 0;
    for (proposal, expected) in world.proposals.iter().zip(&headers) {
        let waiting = chain.system().targets.pending_draws;
        let quiet = waiting == 0 && proposal.misbehavior.is_empty();
        let simulated = proposal
            .transactions
            .first()
            .filter(|_| quiet)
            .map(|first| {
                let root = chain.prove(&Key::System).expect("provable");
                let receipt = chain.simulate(&first.transaction).expect("readable");
                assert_eq!(chain.prove(&Key::System).expect("provable"), root);
                receipt
            });
        step(&chain, proposal, expected);
        if let Some(simulated) = simulated {
            let receipts = chain.reader().receipts(proposal.height).expect("readable");
            assert_eq!(receipts.expect("kept")[0], simulated);
            foreseen += usize::from(simulated.status == ExecutionStatus::Success);
        }
    }
    assert!(foreseen > 20, "{foreseen} successes were foreseen");
}
