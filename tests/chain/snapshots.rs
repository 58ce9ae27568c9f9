//! Snapshots of the whole state, and chains that start from one.

use std::collections::BTreeMap;
use std::sync::Arc;

use soma_chain::store::Entry;
use soma_chain::{
    Chain, ChainConfig, ChainError, Export, Handover, Import, Key, MemoryStore, StateProof,
};
use soma_tests::game::Game;
use soma_types::{Certificate, Digest};

const CHUNK: usize = 4_000;

/// The head of `game` as a hand-over. Who imports a snapshot has verified it before.
fn handover(game: &Game) -> Handover {
    let header = game.world.chain.head().header;
    Handover {
        certificate: Certificate {
            height: header.height,
            round: 0,
            block: Digest([0; 32]),
            signatures: Default::default(),
        },
        committee: StateProof {
            header,
            key: Key::System.to_bytes(),
            value: None,
            proof: Vec::new(),
        },
    }
}

fn import(
    game: &Game,
    handover: Handover,
    chunks: Vec<Vec<Entry>>,
) -> Result<Arc<MemoryStore>, ChainError> {
    let store = Arc::new(MemoryStore::new());
    let mut import = Import::begin(store, game.world.genesis.clone(), handover);
    for chunk in chunks {
        import.add(chunk)?;
    }
    import.finish()
}

/// Takes a snapshot of the head while the game goes on; with it, the state that it must have.
fn taken_in_play(game: &mut Game) -> (Handover, Vec<Vec<Entry>>) {
    let (handover, state) = (handover(game), game.world.dump());
    let height = handover.committee.header.height;
    let mut export = Export::begin(Arc::clone(&game.world.chain), height).expect("it is the head");
    let mut chunks = Vec::new();
    while let Some(chunk) = export.next(CHUNK).expect("readable") {
        chunks.push(chunk);
        game.play(40);
    }
    let entries: BTreeMap<_, _> = chunks.iter().flatten().cloned().collect();
    assert!(
        entries == state,
        "the snapshot is not the state at its height"
    );
    (handover, chunks)
}

#[test]
fn a_snapshot_taken_in_play_is_the_state_at_its_height() {
    let mut game = Game::new(11);
    game.play(1_500);
    let (handover, chunks) = taken_in_play(&mut game);
    assert!(chunks.len() > 3, "{} chunks", chunks.len());
    let height = handover.committee.header.height;
    let later = game.world.chain.head().header.height;
    assert!(later > height + 20, "the game went on: {height} to {later}");

    // The chain that starts from it goes on as the other did.
    let store = import(&game, handover, chunks).expect("a good snapshot");
    let genesis = &game.world.genesis;
    let open = || {
        // The game has brought the chain to later versions of the protocol.
        let (store, rules) = (Arc::clone(&store), game.world.chain.rules().clone());
        Chain::open_with_rules(store, genesis, rules, ChainConfig::default())
    };
    let chain = open().expect("it opens");
    assert_eq!(chain.reader().lowest_block().expect("readable"), height + 1);
    for proposal in &game.world.proposals {
        if proposal.height > height {
            let executed = chain.execute(proposal).expect("the same block");
            chain.commit(executed).expect("in memory");
        }
    }
    assert_eq!(chain.head(), game.world.chain.head());
    drop(chain);
    assert_eq!(open().expect("again").head(), game.world.chain.head());
    let targets = |chain: &Chain<Arc<MemoryStore>>| {
        let users = game.world.users.iter();
        let owned = users.map(|user| {
            chain
                .reader()
                .stakes_of(user, None, 1_000)
                .expect("readable")
        });
        owned.collect::<Vec<_>>()
    };
    assert_eq!(targets(&open().expect("again")), targets(&game.world.chain));
}

#[test]
fn a_changed_snapshot_is_refused() {
    let mut game = Game::new(12);
    game.play(400);
    let (handover, chunks) = taken_in_play(&mut game);
    let refused = |chunks| match import(&game, handover.clone(), chunks) {
        Err(ChainError::Snapshot { reason }) => reason,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    };
    let mut less = chunks.clone();
    less[0].pop();
    assert!(refused(less).contains("root"));
    let mut other = chunks.clone();
    other[0][3].1[0] ^= 1;
    assert!(refused(other).contains("root"));
    let mut more = chunks.clone();
    let mut key = more[0][0].0.clone();
    key.push(0);
    more[0].insert(1, (key, vec![1]));
    assert!(refused(more).contains("root"));
    let mut swapped = chunks.clone();
    swapped[0].swap(0, 1);
    assert!(refused(swapped).contains("order"));
    let mut twice = chunks.clone();
    twice.push(twice[0].clone());
    assert!(refused(twice).contains("order"));
    let mut foreign = chunks.clone();
    foreign[0].insert(0, (b"Mh".to_vec(), vec![1]));
    assert!(refused(foreign).contains("order"));
    import(&game, handover.clone(), chunks).expect("unchanged");
}

#[test]
fn an_old_state_is_not_exported() {
    let mut game = Game::new(13);
    game.play(200);
    let old = game.world.chain.head().header.height;
    let begin = |game: &Game, height| Export::begin(Arc::clone(&game.world.chain), height);
    drop(begin(&game, old).expect("the head"));
    assert!(matches!(
        begin(&game, old + 1).map(drop),
        Err(ChainError::StateNotKept { .. })
    ));

    // Undo records stay until the tree is on disk, whatever their age.
    game.world.chain.flush().expect("in memory");
    let held = begin(&game, old).expect("the head");
    let keep = ChainConfig::default().keep_states;
    let go_on = |game: &mut Game| {
        for _ in 0..2 * keep {
            game.world.tick();
        }
    };
    go_on(&mut game);
    drop(begin(&game, old).expect("somebody reads it"));
    drop(held);
    game.world.chain.flush().expect("in memory");
    go_on(&mut game);
    match begin(&game, old).map(drop) {
        Err(ChainError::StateNotKept { height, oldest }) => {
            assert_eq!(height, old);
            assert!(oldest > old, "{oldest}");
            drop(begin(&game, oldest).expect("the oldest"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_nodes_cut_the_same_state_at_the_same_places() {
    let mut game = Game::new(14);
    game.play(600);
    let height = game.world.chain.head().header.height;
    let export = || Export::begin(Arc::clone(&game.world.chain), height).expect("it is the head");
    let (mut early, mut late) = (export(), export());
    let mut chunks = Vec::new();
    while let Some(chunk) = early.next(CHUNK).expect("readable") {
        chunks.push(chunk);
    }
    game.play(400);
    let mut again = Vec::new();
    while let Some(chunk) = late.next(CHUNK).expect("readable") {
        again.push(chunk);
    }
    assert!(chunks.len() > 3, "{} chunks", chunks.len());
    assert!(chunks == again, "other chunks");
    let size = |chunk: &[Entry]| chunk.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
    for chunk in &chunks[..chunks.len() - 1] {
        assert!(size(chunk) >= CHUNK && size(&chunk[..chunk.len() - 1]) < CHUNK);
    }
}
