//! A keystore in use, and hostile files.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::keys::SecretKey;

const CHEAP: KdfParams = KdfParams {
    memory_kib: 8192,
    passes: 1,
    lanes: 1,
};

struct Bench {
    folder: tempfile::TempDir,
    password: Password,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            password: Password::new("golden").unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys").join("soma.keystore")
    }

    fn create(&self) -> Keystore {
        let protection = Protection::Password(self.password.clone());
        Keystore::create_with(&self.path(), &protection, CHEAP).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    /// Puts `content` in place of the file, keeping its mode.
    fn plant(&self, content: impl AsRef<[u8]>) {
        fs::write(self.path(), content).unwrap();
    }
}

fn who(text: &str) -> KeyIdentity {
    text.parse().unwrap()
}

fn alias(text: &str) -> Option<Alias> {
    Some(text.parse().unwrap())
}

#[test]
fn keys_are_added_found_renamed_exported_and_removed() {
    let bench = Bench::new();
    let password = Some(&bench.password);
    let mut keystore = bench.create();
    assert!(keystore.is_encrypted());
    let first = keystore.add(None, password).unwrap();
    let alice = keystore.add(alias("alice"), password).unwrap();
    let key = SecretKey::generate();
    let third = keystore.import(&key, None, password).unwrap();
    assert_eq!(
        (first.alias.as_str(), third.alias.as_str()),
        ("key-1", "key-3")
    );
    assert_eq!(third.address, key.address());

    let keystore_again = Keystore::open(&bench.path()).unwrap();
    let entries: Vec<_> = keystore_again.entries().collect();
    assert_eq!(entries, [first.clone(), alice.clone(), third.clone()]);
    assert_eq!(keystore_again.find(&who("alice")).unwrap(), alice);
    assert_eq!(keystore_again.find(&alice.address.into()).unwrap(), alice);
    let exported = keystore_again.export(&who("key-3"), password).unwrap();
    assert_eq!(exported, key.to_hex());

    let renamed = keystore
        .rename(&who("alice"), "bob".parse().unwrap())
        .unwrap();
    assert_eq!(renamed.address, alice.address);
    assert!(matches!(
        keystore.find(&who("alice")),
        Err(KeystoreError::NotFound(_))
    ));
    keystore
        .rename(&who("bob"), "bob".parse().unwrap())
        .unwrap();
    assert_eq!(keystore.remove(&first.address.into()).unwrap(), first);
    assert_eq!(keystore.entries().count(), 2);
    // A freed number below the count is not given again, a taken one is skipped.
    assert_eq!(
        keystore.add(None, password).unwrap().alias.as_str(),
        "key-4"
    );
}

#[test]
fn aliases_and_keys_are_unique() {
    let bench = Bench::new();
    let password = Some(&bench.password);
    let mut keystore = bench.create();
    let key = SecretKey::generate();
    keystore.import(&key, alias("a"), password).unwrap();
    keystore.add(alias("b"), password).unwrap();
    let before = bench.bytes();
    let same_key = keystore.import(&key, alias("c"), password);
    assert!(matches!(same_key, Err(KeystoreError::KeyExists { .. })));
    let same_alias = keystore.add(alias("a"), password);
    assert!(matches!(same_alias, Err(KeystoreError::AliasTaken(_))));
    let renamed = keystore.rename(&who("b"), "a".parse().unwrap());
    assert!(matches!(renamed, Err(KeystoreError::AliasTaken(_))));
    assert_eq!(bench.bytes(), before);
    assert_eq!(keystore.entries().count(), 2);
}

#[test]
fn a_wrong_or_missing_password_loses_nothing() {
    let bench = Bench::new();
    let mut keystore = bench.create();
    keystore.add(alias("a"), Some(&bench.password)).unwrap();
    let before = bench.bytes();
    let wrong = Password::new("Golden").unwrap();
    assert!(matches!(
        keystore.unlock(&who("a"), Some(&wrong)),
        Err(KeystoreError::WrongPassword)
    ));
    assert!(matches!(
        keystore.unlock(&who("a"), None),
        Err(KeystoreError::PasswordRequired)
    ));
    assert!(matches!(
        keystore.add(None, Some(&wrong)),
        Err(KeystoreError::WrongPassword)
    ));
    assert!(matches!(
        keystore.add(None, None),
        Err(KeystoreError::PasswordRequired)
    ));
    let protection = Protection::Plaintext;
    let changed = keystore.protect(Some(&wrong), &protection, CHEAP);
    assert!(matches!(changed, Err(KeystoreError::WrongPassword)));
    assert_eq!(bench.bytes(), before);
    assert!(keystore.unlock(&who("a"), Some(&bench.password)).is_ok());
}

#[test]
fn an_encrypted_file_holds_no_secret_and_a_plaintext_one_says_so() {
    let bench = Bench::new();
    let key = SecretKey::generate();
    let mut keystore = bench.create();
    keystore.import(&key, None, Some(&bench.password)).unwrap();
    let text = String::from_utf8(bench.bytes()).unwrap();
    assert!(!text.contains(&key.to_hex()[2..]) && !text.contains("golden"));

    keystore
        .protect(Some(&bench.password), &Protection::Plaintext, CHEAP)
        .unwrap();
    assert!(!keystore.is_encrypted());
    let text = String::from_utf8(bench.bytes()).unwrap();
    assert!(text.contains("UNENCRYPTED") && text.contains(key.to_hex().as_str()));
    assert_eq!(keystore.export(&who("key-1"), None).unwrap(), key.to_hex());
    keystore.add(None, None).unwrap();
    // Somebody may have swapped the file under a caller who thinks that it is encrypted.
    let refused = keystore.add(None, Some(&bench.password));
    assert!(matches!(refused, Err(KeystoreError::NotEncrypted)));

    let other = Password::new("other").unwrap();
    keystore
        .protect(None, &Protection::Password(other.clone()), CHEAP)
        .unwrap();
    assert_eq!(
        keystore.export(&who("key-1"), Some(&other)).unwrap(),
        key.to_hex()
    );
    assert!(matches!(
        keystore.unlock(&who("key-1"), Some(&bench.password)),
        Err(KeystoreError::WrongPassword)
    ));
}

#[test]
fn an_existing_file_is_never_created_over() {
    let bench = Bench::new();
    bench.create();
    for content in [bench.bytes(), b"somebody's notes".to_vec()] {
        bench.plant(&content);
        let result = Keystore::create(&bench.path(), &Protection::Plaintext);
        assert!(matches!(
            result,
            Err(KeystoreError::File(FileError::Exists(_)))
        ));
        assert_eq!(bench.bytes(), content);
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_an_exposed_one_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let mut keystore = bench.create();
    keystore.add(None, Some(&bench.password)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.path()), 0o600);
    assert_eq!(mode(bench.path().parent().unwrap()), 0o700);
    for exposed in [0o640, 0o604, 0o620] {
        fs::set_permissions(bench.path(), fs::Permissions::from_mode(exposed)).unwrap();
        let error = Keystore::open(&bench.path()).unwrap_err();
        assert!(matches!(
            error,
            KeystoreError::File(FileError::Exposed { .. })
        ));
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert!(keystore.remove(&who("key-1")).is_err());
    }
}

#[cfg(unix)]
#[test]
fn a_change_through_a_link_keeps_the_link() {
    let bench = Bench::new();
    bench.create();
    let link = bench.folder.path().join("link");
    std::os::unix::fs::symlink(bench.path(), &link).unwrap();
    Keystore::open(&link)
        .unwrap()
        .add(None, Some(&bench.password))
        .unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Keystore::open(&bench.path()).unwrap().entries().count(), 1);
}

#[test]
fn a_missing_file_or_a_folder_is_named() {
    let bench = Bench::new();
    let error = Keystore::open(&bench.path()).unwrap_err().to_string();
    assert!(error.contains("soma.keystore"), "{error}");
    assert!(Keystore::open(bench.folder.path()).is_err());
}

#[test]
fn writers_at_the_same_time_lose_no_key() {
    let bench = Bench::new();
    Keystore::create(&bench.path(), &Protection::Plaintext).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut keystore = Keystore::open(&bench.path()).unwrap();
                for _ in 0..3 {
                    keystore.add(None, None).unwrap();
                }
            });
        }
    });
    let entries: Vec<_> = Keystore::open(&bench.path()).unwrap().entries().collect();
    assert_eq!(entries.len(), 12);
    let left = fs::read_dir(bench.path().parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(left, 2, "only the keystore and its lock file are left");
}

#[test]
fn a_damaged_file_is_an_error_and_is_never_written() {
    let bench = Bench::new();
    let mut keystore = bench.create();
    keystore.add(alias("a"), Some(&bench.password)).unwrap();
    keystore.add(alias("b"), Some(&bench.password)).unwrap();
    let good = bench.json();
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        edit(&mut value);
        serde_json::to_vec(&value).unwrap()
    };
    let half = bench.bytes().len() / 2;
    let damaged = [
        Vec::new(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        vec![b'['; 100_000],
        vec![0xff; 100],
        bench.bytes()[..half].to_vec(),
        with(&|file| file["format"] = json!("other")),
        with(&|file| file["extra"] = json!(1)),
        with(&|file| file["keys"][0]["alias"] = json!("b")),
        with(&|file| file["keys"][0]["alias"] = json!("../../etc")),
        with(&|file| file["keys"][0] = file["keys"][1].clone()),
        with(&|file| file["keys"][0]["address"] = json!("0x12")),
        with(&|file| file["keys"][0]["address"] = json!(format!("0x{}", "12".repeat(32)))),
        with(&|file| file["keys"][0]["public_key"] = file["keys"][1]["public_key"].clone()),
        with(&|file| file["keys"][0]["secret"] = json!({"plaintext": "0x01"})),
        with(&|file| file["keys"][0]["secret"]["sealed"]["ciphertext"] = json!("00")),
        with(&|file| file["protection"] = json!({"plaintext": {"warning": ""}})),
        with(&|file| file["protection"] = json!({"rot13": {}})),
    ];
    for content in damaged {
        bench.plant(&content);
        let shown = String::from_utf8_lossy(&content[..content.len().min(300)]).into_owned();
        let corrupt = |result: Result<KeyEntry, KeystoreError>| {
            assert!(matches!(result, Err(KeystoreError::Corrupt(_))), "{shown}");
        };
        assert!(
            matches!(
                Keystore::open(&bench.path()),
                Err(KeystoreError::Corrupt(_))
            ),
            "{shown}"
        );
        corrupt(keystore.add(None, Some(&bench.password)));
        corrupt(keystore.remove(&who("a")));
        corrupt(keystore.rename(&who("a"), "c".parse().unwrap()));
        assert_eq!(bench.bytes(), content);
    }
    bench.plant(vec![b' '; (8 << 20) + 1]);
    let too_large = Keystore::open(&bench.path()).unwrap_err();
    assert!(matches!(
        too_large,
        KeystoreError::File(FileError::TooLarge { .. })
    ));
}

#[test]
fn a_newer_version_is_named_and_kept() {
    let bench = Bench::new();
    bench.create();
    let newer = br#"{"format": "soma-keystore", "version": 2, "anything": {"else": true}}"#;
    bench.plant(newer);
    let error = Keystore::open(&bench.path()).unwrap_err();
    assert!(matches!(error, KeystoreError::Version(2)));
    assert!(error.to_string().contains("update this program"));
    assert_eq!(bench.bytes(), newer);
}

#[test]
fn hostile_costs_of_the_password_hash_are_refused() {
    let bench = Bench::new();
    bench.create();
    let good = bench.json();
    for (field, value) in [
        ("memory_kib", u32::MAX),
        ("memory_kib", 8),
        ("passes", 0),
        ("passes", 1000),
        ("lanes", 0),
    ] {
        let mut file = good.clone();
        file["protection"]["argon2id"]["params"][field] = json!(value);
        bench.plant(serde_json::to_vec(&file).unwrap());
        let result = Keystore::open(&bench.path());
        assert!(
            matches!(result, Err(KeystoreError::KdfBounds { .. })),
            "{field} {value}"
        );
    }
    let costly = KdfParams {
        passes: 11,
        ..CHEAP
    };
    let elsewhere = bench.folder.path().join("other");
    let protection = Protection::Password(bench.password.clone());
    assert!(Keystore::create_with(&elsewhere, &protection, costly).is_err());
    assert!(!elsewhere.exists());
}

#[test]
fn a_secret_moved_or_changed_does_not_open() {
    let bench = Bench::new();
    let mut keystore = bench.create();
    keystore.add(alias("a"), Some(&bench.password)).unwrap();
    keystore.add(alias("b"), Some(&bench.password)).unwrap();
    let mut file = bench.json();
    file["keys"][0]["secret"] = file["keys"][1]["secret"].clone();
    bench.plant(serde_json::to_vec(&file).unwrap());
    let keystore = Keystore::open(&bench.path()).unwrap();
    let moved = keystore.unlock(&who("a"), Some(&bench.password));
    assert!(matches!(moved, Err(KeystoreError::Corrupt(_))));
    assert!(keystore.unlock(&who("b"), Some(&bench.password)).is_ok());
}

#[test]
fn errors_of_a_plaintext_file_do_not_repeat_its_secrets() {
    let bench = Bench::new();
    let mut keystore = Keystore::create(&bench.path(), &Protection::Plaintext).unwrap();
    let key = SecretKey::generate();
    keystore.import(&key, None, None).unwrap();
    let digits = &key.to_hex()[2..];
    let other = SecretKey::generate();
    let good = String::from_utf8(bench.bytes()).unwrap();
    let changed = [
        good.replace("plaintext\": \"0x", "plaintexts\": \"0x"),
        good.replace(&format!("\"0x{digits}\""), &format!("[\"{digits}\"]")),
        good.replace(digits, &format!("{digits}zz")),
        good.replace(digits, &other.to_hex()[2..]),
    ];
    for content in changed {
        bench.plant(content);
        let opened = Keystore::open(&bench.path());
        let error = opened
            .and_then(|keystore| keystore.export(&who("key-1"), None))
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, KeystoreError::Corrupt(_)), "{shown}");
        assert!(
            !shown.contains(digits) && !shown.contains(&other.to_hex()[2..]),
            "{shown}"
        );
    }
}

#[test]
fn a_keystore_of_version_1_keeps_opening() {
    let bench = Bench::new();
    bench.create();
    bench.plant(include_str!("golden-v1.json"));
    let keystore = Keystore::open(&bench.path()).unwrap();
    let key = keystore
        .export(&who("golden"), Some(&bench.password))
        .unwrap();
    assert_eq!(key.as_str(), format!("0x{}", "11".repeat(32)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_changed_byte_never_gives_another_key(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let bench = Bench::new();
        bench.create();
        let mut content = include_bytes!("golden-v1.json").to_vec();
        content[at.index(include_bytes!("golden-v1.json").len())] = byte;
        bench.plant(&content);
        // A hostile byte may ask for at most the allowed costs; those are not run here.
        let asks_more = String::from_utf8_lossy(&content).contains("\"memory_kib\": 8192");
        prop_assume!(asks_more);
        if let Ok(keystore) = Keystore::open(&bench.path()) {
            for entry in keystore.entries() {
                if let Ok(key) = keystore.unlock(&entry.address.into(), Some(&bench.password)) {
                    prop_assert_eq!(key.to_bytes().to_vec(), vec![0x11; 32]);
                }
            }
        }
    }
}
