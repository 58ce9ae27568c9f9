//! Ceremonies in temporary folders.

use std::path::PathBuf;

use soma_crypto::SecretKey;
use soma_types::{Bps, ChainId, MAX_SUPPLY, PublicKey, Shannons, ValidatorMetadata};
use tempfile::TempDir;

use crate::{Ceremony, CeremonyError, Draft, InfoError, Standing, ValidatorInfo, read_genesis};

const STAKE: Shannons = Shannons(20_000_000_000_000);

struct Member {
    account: SecretKey,
    consensus: SecretKey,
    info: PathBuf,
}

struct World {
    folder: TempDir,
    ceremony: Ceremony,
    members: Vec<Member>,
}

fn metadata(number: usize) -> ValidatorMetadata {
    let text = |text: String| text.parse().unwrap();
    ValidatorMetadata {
        name: text(format!("validator {number}")),
        consensus_key: PublicKey([2; 33]),
        p2p_address: text(format!("/ip4/10.0.0.{number}/tcp/8084")),
        rpc_address: text(format!("http://10.0.0.{number}:9000")),
        proxy_address: text(String::new()),
    }
}

fn info(chain: &str, account: &SecretKey, consensus: &SecretKey, number: usize) -> ValidatorInfo {
    let commission = Bps::new(200).unwrap();
    let chain = chain.parse().unwrap();
    ValidatorInfo::for_genesis(chain, account, metadata(number), commission, consensus)
}

impl World {
    fn new(members: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let draft = Draft::new("testnet".parse().unwrap(), 1_790_000_000_000);
        let mut ceremony = Ceremony::begin(&folder.path().join("ceremony"), draft).unwrap();
        let rich = SecretKey::generate().address();
        ceremony.fund(rich, Shannons(1_500_000_000)).unwrap();
        let member = |number| {
            let (account, consensus) = (SecretKey::generate(), SecretKey::generate());
            let path = folder.path().join(format!("{number}.info"));
            let info = info("testnet", &account, &consensus, number);
            info.write(&path).unwrap();
            ceremony.add_validator(&path, STAKE).unwrap();
            Member {
                account,
                consensus,
                info: path,
            }
        };
        let members = (1..=members).map(member).collect();
        Self {
            folder,
            ceremony,
            members,
        }
    }

    fn sign_all(&self) {
        for member in &self.members {
            self.ceremony.sign(&member.consensus).unwrap();
        }
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().join("ceremony")
    }
}

#[test]
fn a_genesis_that_all_have_signed_is_final() {
    let world = World::new(3);
    let built = world.ceremony.build().unwrap();
    assert_eq!(built.total, MAX_SUPPLY);
    let powers: Vec<u64> = built.validators.iter().map(|v| v.voting_power).collect();
    assert_eq!(powers.iter().sum::<u64>(), 10_000);
    world.sign_all();
    let (summary, approvals) = world.ceremony.finalize().unwrap();
    assert_eq!(summary, built);
    let genesis = read_genesis(&world.ceremony.genesis_path()).unwrap();
    assert_eq!(soma_chain::chain_id(&genesis), built.chain_id);
    approvals.check(&genesis).unwrap();
}

#[test]
fn the_same_folder_gives_the_same_bytes_wherever_it_is() {
    let world = World::new(4);
    world.ceremony.build().unwrap();
    let bytes = std::fs::read(world.ceremony.unsigned_path()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("validators")).unwrap();
    for name in ["ceremony.toml", "validators"] {
        let from = world.folder().join(name);
        let files = match from.is_dir() {
            true => std::fs::read_dir(&from)
                .unwrap()
                .map(|e| e.unwrap().path())
                .collect(),
            false => vec![from],
        };
        for file in files {
            let to = copy.path().join(file.strip_prefix(world.folder()).unwrap());
            std::fs::copy(&file, to).unwrap();
        }
    }
    let again = Ceremony::open(copy.path()).unwrap();
    again.build().unwrap();
    assert_eq!(std::fs::read(again.unsigned_path()).unwrap(), bytes);
}

#[test]
fn a_genesis_that_somebody_has_not_signed_is_not_final() {
    let world = World::new(2);
    world.ceremony.build().unwrap();
    world.ceremony.sign(&world.members[0].consensus).unwrap();
    let error = world.ceremony.finalize().unwrap_err();
    let missing = world.members[1].account.address();
    assert!(
        matches!(&error, CeremonyError::Unsigned(who) if *who == [missing]),
        "{error}"
    );
    assert!(!world.ceremony.genesis_path().exists());
    let genesis = world.ceremony.built().unwrap();
    let standing = world
        .ceremony
        .standing(&genesis, &soma_chain::chain_id(&genesis));
    let of = |member: &Member| {
        let standing = standing.as_ref().unwrap();
        let found = standing
            .iter()
            .find(|(who, _)| *who == member.account.address());
        found.unwrap().1.clone()
    };
    assert_eq!(of(&world.members[0]), Standing::Signed);
    assert_eq!(of(&world.members[1]), Standing::Unsigned);
}

#[test]
fn signatures_do_not_outlive_a_change() {
    let mut world = World::new(2);
    world.ceremony.build().unwrap();
    world.sign_all();
    let somebody = SecretKey::generate().address();
    world.ceremony.fund(somebody, Shannons(1)).unwrap();
    // Nobody signs or finishes what the folder does not say any more.
    let stale = |result: Result<(), CeremonyError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, CeremonyError::Stale { .. }), "{error}");
    };
    stale(world.ceremony.finalize().map(|_| ()));
    stale(world.ceremony.sign(&world.members[0].consensus).map(|_| ()));
    // Built anew, the old signatures are for another genesis.
    world.ceremony.build().unwrap();
    let error = world.ceremony.finalize().unwrap_err();
    assert!(matches!(error, CeremonyError::Approval { .. }), "{error}");
    world.sign_all();
    world.ceremony.finalize().unwrap();
}

#[test]
fn a_document_that_was_changed_by_hand_is_not_signed() {
    let world = World::new(2);
    world.ceremony.build().unwrap();
    let path = world.ceremony.unsigned_path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("20000000000000", "20000000000001")).unwrap();
    let error = world
        .ceremony
        .sign(&world.members[0].consensus)
        .unwrap_err();
    assert!(matches!(error, CeremonyError::Stale { .. }), "{error}");
}

#[test]
fn nobody_can_change_what_a_validator_told_or_use_it_elsewhere() {
    let world = World::new(1);
    let path = &world.members[0].info;
    let honest = ValidatorInfo::read(path).unwrap();
    let refused = |info: &ValidatorInfo| {
        info.write(path).unwrap();
        match world.ceremony.add_validator(path, STAKE).unwrap_err() {
            CeremonyError::Info { error, .. } => error,
            other => panic!("{other}"),
        }
    };
    let mut changed = honest.clone();
    changed.metadata.p2p_address = "/ip4/6.6.6.6/tcp/1".parse().unwrap();
    assert!(matches!(refused(&changed), InfoError::Signature { .. }));
    let mut changed = honest.clone();
    changed.commission_bps = Bps::WHOLE;
    assert!(matches!(refused(&changed), InfoError::Signature { .. }));
    let mut changed = honest.clone();
    changed.address = SecretKey::generate().address();
    assert!(matches!(refused(&changed), InfoError::OtherAccount { .. }));
    // The key of another, taken from what it published.
    let mut changed = honest.clone();
    changed.metadata.consensus_key = SecretKey::generate().public_key();
    assert!(matches!(refused(&changed), InfoError::Signature { .. }));

    let member = &world.members[0];
    let other = info("mainnet", &member.account, &member.consensus, 1);
    assert!(matches!(refused(&other), InfoError::OtherPurpose { .. }));
    let running = ValidatorInfo::for_chain(
        ChainId([7; 32]),
        member.account.address(),
        metadata(1),
        Bps::ZERO,
        &member.consensus,
    );
    assert!(matches!(refused(&running), InfoError::OtherPurpose { .. }));
    running.candidate(&ChainId([7; 32])).unwrap();
    let error = running.candidate(&ChainId([8; 32])).unwrap_err();
    assert!(matches!(error, InfoError::OtherPurpose { .. }));
    let error = honest.candidate(&ChainId([7; 32])).unwrap_err();
    assert!(matches!(error, InfoError::OtherPurpose { .. }));
}

#[test]
fn what_only_one_validator_may_have_is_not_shared() {
    let world = World::new(1);
    let path = world.folder.path().join("other.info");
    let add = |consensus: &SecretKey, number| {
        let account = SecretKey::generate();
        info("testnet", &account, consensus, number)
            .write(&path)
            .unwrap();
        world.ceremony.add_validator(&path, STAKE)
    };
    let error = add(&world.members[0].consensus, 2).unwrap_err();
    assert!(error.to_string().starts_with("consensus key"), "{error}");
    let error = add(&SecretKey::generate(), 1).unwrap_err();
    assert!(error.to_string().starts_with("p2p address"), "{error}");
    let key = SecretKey::generate();
    info("testnet", &SecretKey::generate(), &key, 3)
        .write(&path)
        .unwrap();
    let error = world
        .ceremony
        .add_validator(&path, Shannons::ZERO)
        .unwrap_err();
    assert!(matches!(error, CeremonyError::NoStake), "{error}");
    // The same validator may tell something new.
    let member = &world.members[0];
    info("testnet", &member.account, &member.consensus, 9)
        .write(&path)
        .unwrap();
    world.ceremony.add_validator(&path, STAKE).unwrap();
    assert_eq!(world.ceremony.validators().unwrap().len(), 1);
}

#[test]
fn a_genesis_that_gives_away_too_much_or_has_no_validator_is_not_built() {
    let mut world = World::new(1);
    let rich = SecretKey::generate().address();
    world.ceremony.fund(rich, MAX_SUPPLY).unwrap();
    let error = world.ceremony.build().unwrap_err();
    assert!(matches!(error, CeremonyError::Chain(_)), "{error}");
    assert!(!world.ceremony.unsigned_path().exists());

    let empty = World::new(0);
    let error = empty.ceremony.build().unwrap_err();
    assert!(matches!(error, CeremonyError::Chain(_)), "{error}");
    let error = Ceremony::begin(&empty.folder(), empty.ceremony.draft().clone()).unwrap_err();
    assert!(matches!(error, CeremonyError::Begun(_)), "{error}");
    let error = Ceremony::open(empty.folder.path()).unwrap_err();
    assert!(matches!(error, CeremonyError::NotBegun(_)), "{error}");
}

#[test]
fn what_no_chain_can_start_with_is_refused_at_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |name: &str, change: &dyn Fn(&mut Draft)| {
        let mut draft = Draft::new(name.parse().unwrap(), 1_790_000_000_000);
        change(&mut draft);
        let refused = Ceremony::begin(folder.path(), draft);
        refused.unwrap_err().to_string()
    };
    for name in ["bad name!", "", "a/b"] {
        let error = refusal(name, &|_| ());
        assert!(error.contains(&format!("named `{name}`")), "{error}");
    }
    let error = refusal("testnet", &|draft| draft.protocol_version = 99);
    assert!(error.contains("version 99 is not supported"), "{error}");
    let error = refusal("testnet", &|draft| {
        draft.parameters.insert("nosuch".to_owned(), 1);
    });
    assert!(
        error.contains("unknown protocol parameter `nosuch`"),
        "{error}"
    );
    assert!(!folder.path().join("ceremony.toml").exists());
    let draft = Draft::new("soma-test_1.0".parse().unwrap(), 1_790_000_000_000);
    Ceremony::begin(folder.path(), draft).unwrap();
}

#[test]
fn a_key_file_in_the_place_of_another_is_not_shown() {
    let world = World::new(1);
    let path = world.folder.path().join("account.key");
    let key = SecretKey::generate();
    soma_crypto::key_file::create(&path, &key).unwrap();
    for error in [
        ValidatorInfo::read(&path).unwrap_err(),
        world.ceremony.add_validator(&path, STAKE).unwrap_err(),
        world.ceremony.add_model(&path).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("account.key: line 1: "), "{error}");
        assert!(!error.contains(&key.to_hex()[2..10]), "{error}");
    }
}

#[test]
fn models_are_listed_from_files_that_people_can_write() {
    let world = World::new(1);
    let owner = SecretKey::generate().address();
    let checksum = soma_crypto::checksum(b"weights");
    let key = soma_types::WeightsKey([3; 32]);
    let text = format!(
        "owner = \"{owner}\"\nstake = \"1.5\"\nembedding = [3, 4.0]\n[weights]\nurl = \
         \"https://a/w\"\nchecksum = \"{checksum}\"\nsize = 7\nkey = \"{key}\"\n\
         plaintext_checksum = \"{checksum}\"\n"
    );
    let path = world.folder.path().join("model.toml");
    std::fs::write(&path, &text).unwrap();
    // The chain wants 2,048 numbers unless its parameters say otherwise.
    let error = world.ceremony.add_model(&path).unwrap_err().to_string();
    let told = "model.toml: its embedding has 2 numbers, this chain's have 2048";
    assert!(error.contains(told), "{error}");
    let dimension = |dimension: &str| {
        let path = world.folder().join("ceremony.toml");
        let draft = std::fs::read_to_string(&path).unwrap();
        let (head, _) = draft.split_once("[parameters]").unwrap();
        let (_, accounts) = draft.split_once("[accounts]").unwrap();
        let draft = format!("{head}[parameters]\n{dimension}\n[accounts]{accounts}");
        std::fs::write(&path, draft).unwrap();
        Ceremony::open(&world.folder()).unwrap()
    };
    let ceremony = dimension("target_embedding_dim = 2");
    for (good, bad) in [("url = \"", "url = \"ftp:"), ("size = ", "size = 0 #")] {
        std::fs::write(&path, text.replace(good, bad)).unwrap();
        let error = ceremony.add_model(&path).unwrap_err();
        assert_eq!(error.name(), "WeightsUnavailable", "{error}");
    }
    std::fs::write(&path, &text).unwrap();
    ceremony.add_model(&path).unwrap();
    let other = SecretKey::generate().address();
    let theirs = text.replace(&owner.to_string(), &other.to_string());
    std::fs::write(&path, theirs).unwrap();
    let error = ceremony.add_model(&path).unwrap_err();
    assert!(matches!(error, CeremonyError::ModelListed(_)), "{error}");
    // Its owner may correct it.
    std::fs::write(&path, text.replace("[3, 4.0]", "[1, 2]")).unwrap();
    ceremony.add_model(&path).unwrap();
    std::fs::write(&path, &text).unwrap();
    ceremony.add_model(&path).unwrap();
    // The parameters may change when it is listed.
    let error = dimension("").check().unwrap_err();
    assert!(matches!(error, CeremonyError::Chain(_)), "{error}");
    let ceremony = dimension("target_embedding_dim = 2");
    let summary = ceremony.build().unwrap();
    assert_eq!(summary.models[0].owner, owner);
    assert_eq!(summary.models[0].stake, Shannons(1_500_000_000));
    assert_eq!(summary.supply.total(), Some(MAX_SUPPLY));
}
