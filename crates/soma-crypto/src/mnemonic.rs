//! Recovery phrases: BIP-39 words to a seed, BIP-32 derivation from the seed to a key.
//!
//! English word list, checksum required. The default path is `m/44'/784'/0'/0/0`; the account of
//! the n-th key of a phrase differs in the last number.

use std::fmt;
use std::str::FromStr;

use bip32::XPrv;
use bip39::Language;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::SecretKey;

/// The path of a phrase's first key.
pub const DEFAULT_PATH: &str = "m/44'/784'/0'/0/0";

// A path has five levels by custom; BIP-32 counts depth in one byte.
const MAX_PATH_LEVELS: usize = 255;

/// Why a phrase or path is refused. No message repeats a word of the phrase.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MnemonicError {
    /// Another number of words.
    #[error("a recovery phrase has 12, 15, 18, 21 or 24 words, got {0}")]
    WordCount(usize),
    /// A word that is not in the list.
    #[error(
        "word {0} of the recovery phrase is not in the English BIP-39 list; check its spelling"
    )]
    UnknownWord(usize),
    /// The last word does not fit the others.
    #[error("the checksum of the recovery phrase is wrong; check the words and their order")]
    Checksum,
    /// Not a derivation path.
    #[error("invalid derivation path `{0}`: expected a form like {DEFAULT_PATH}")]
    Path(String),
    /// The path meets a number that is no key (one path in 2^127).
    #[error("no key exists at this derivation path; use another one")]
    NoKey,
}

/// How many words a phrase has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordCount {
    /// 12 words, 128 bits.
    #[default]
    Twelve = 12,
    /// 15 words, 160 bits.
    Fifteen = 15,
    /// 18 words, 192 bits.
    Eighteen = 18,
    /// 21 words, 224 bits.
    TwentyOne = 21,
    /// 24 words, 256 bits.
    TwentyFour = 24,
}

impl TryFrom<usize> for WordCount {
    type Error = MnemonicError;

    fn try_from(count: usize) -> Result<Self, MnemonicError> {
        match count {
            12 => Ok(Self::Twelve),
            15 => Ok(Self::Fifteen),
            18 => Ok(Self::Eighteen),
            21 => Ok(Self::TwentyOne),
            24 => Ok(Self::TwentyFour),
            other => Err(MnemonicError::WordCount(other)),
        }
    }
}

/// Where in the tree of a phrase's keys a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(bip32::DerivationPath);

impl FromStr for KeyPath {
    type Err = MnemonicError;

    fn from_str(text: &str) -> Result<Self, MnemonicError> {
        let error = || MnemonicError::Path(text.chars().take(80).collect());
        let path: bip32::DerivationPath = text.parse().map_err(|_| error())?;
        if path.len() > MAX_PATH_LEVELS {
            return Err(error());
        }
        Ok(Self(path))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A recovery phrase. Overwritten when dropped, and it never prints by itself.
///
/// ```
/// use soma_crypto::mnemonic::{Mnemonic, WordCount};
///
/// let mnemonic = Mnemonic::generate(WordCount::Twelve);
/// let again = Mnemonic::parse(&mnemonic.phrase())?;
/// assert_eq!(again.secret_key()?.address(), mnemonic.secret_key()?.address());
/// # Ok::<(), soma_crypto::mnemonic::MnemonicError>(())
/// ```
#[derive(Clone)]
pub struct Mnemonic(bip39::Mnemonic);

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mnemonic of {} words", self.0.word_count())
    }
}

impl Mnemonic {
    /// A fresh phrase.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn generate(words: WordCount) -> Self {
        use rand_core::RngCore as _;
        let mut entropy = Zeroizing::new([0; 32]);
        rand_core::OsRng.fill_bytes(&mut *entropy);
        let entropy = &entropy[..words as usize / 3 * 4];
        // 16, 20, 24, 28 and 32 bytes are the lengths that the standard has.
        let mnemonic = bip39::Mnemonic::from_entropy_in(Language::English, entropy);
        Self(mnemonic.unwrap_or_else(|error| unreachable!("{error}")))
    }

    /// Reads a phrase. Case and the white space between words do not matter.
    ///
    /// # Errors
    /// Another number of words, a word not in the list, or a wrong checksum.
    pub fn parse(phrase: &str) -> Result<Self, MnemonicError> {
        let count = phrase.split_whitespace().count();
        WordCount::try_from(count)?;
        let phrase = Zeroizing::new(phrase.to_ascii_lowercase());
        let parsed = bip39::Mnemonic::parse_in_normalized(Language::English, &phrase);
        parsed.map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => MnemonicError::UnknownWord(index + 1),
            bip39::Error::BadWordCount(count) => MnemonicError::WordCount(count),
            _ => MnemonicError::Checksum,
        })
    }

    /// The words, with single spaces, overwritten when dropped.
    pub fn phrase(&self) -> Zeroizing<String> {
        // Room for 24 words of 8 letters, so that no outgrown copy stays in memory.
        let mut phrase = Zeroizing::new(String::with_capacity(24 * 9));
        for word in self.0.words() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// The key at [`DEFAULT_PATH`], without a passphrase.
    ///
    /// # Errors
    /// As [`Mnemonic::derive`].
    pub fn secret_key(&self) -> Result<SecretKey, MnemonicError> {
        self.derive(&DEFAULT_PATH.parse()?, "")
    }

    /// The key at a path. Another BIP-39 passphrase gives other keys; most wallets leave it empty.
    ///
    /// # Errors
    /// [`MnemonicError::NoKey`], which nobody will see.
    pub fn derive(&self, path: &KeyPath, passphrase: &str) -> Result<SecretKey, MnemonicError> {
        let seed = Zeroizing::new(self.0.to_seed(passphrase));
        derive_from_seed(&*seed, path)
    }
}

fn derive_from_seed(seed: &[u8], path: &KeyPath) -> Result<SecretKey, MnemonicError> {
    let derived = XPrv::derive_from_path(seed, &path.0).map_err(|_| MnemonicError::NoKey)?;
    let bytes = Zeroizing::new(derived.to_bytes());
    SecretKey::from_bytes(&bytes).map_err(|_| MnemonicError::NoKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO_PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon \
                               abandon abandon abandon about";

    fn path(text: &str) -> KeyPath {
        text.parse().unwrap()
    }

    #[test]
    fn phrases_give_the_seeds_of_the_bip_39_test_vectors() {
        // From the vectors of the standard, passphrase TREZOR.
        let vectors = [
            (
                ZERO_PHRASE.to_owned(),
                "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e5349553\
                 1f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            ),
            (
                format!("{}vote", "zoo ".repeat(23)),
                "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e16\
                 13912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
            ),
        ];
        for (phrase, seed) in vectors {
            let mnemonic = Mnemonic::parse(&phrase).unwrap();
            assert_eq!(hex::encode(mnemonic.0.to_seed("TREZOR")), seed);
        }
    }

    #[test]
    fn seeds_give_the_keys_of_the_bip_32_test_vectors() {
        // Test vector 1: the last key bytes of each extended private key in Base58.
        let vectors = [
            (
                "m",
                "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
            ),
            (
                "m/0'/1",
                "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1xe8fs",
            ),
            (
                "m/0'/1/2'",
                "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQSAewRiNMjANTtpgP4mLTj34bhnZX7UiM",
            ),
        ];
        let seed = hex::decode("000102030405060708090a0b0c0d0e0f").unwrap();
        for (text, extended) in vectors {
            let expected: XPrv = extended.parse().unwrap();
            let key = derive_from_seed(&seed, &path(text)).unwrap();
            assert_eq!(*key.to_bytes(), expected.to_bytes());
        }
    }

    #[test]
    fn a_widely_published_phrase_gives_its_published_key() {
        // The development phrase of Ethereum tools, first account.
        let phrase = "test test test test test test test test test test test junk";
        let key = Mnemonic::parse(phrase)
            .unwrap()
            .derive(&path("m/44'/60'/0'/0/0"), "")
            .unwrap();
        let expected = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        assert_eq!(key.to_hex().as_str(), expected);
    }

    #[test]
    fn our_phrase_to_address_is_a_golden_value() {
        let key = Mnemonic::parse(ZERO_PHRASE).unwrap().secret_key().unwrap();
        assert_eq!(
            key.address().to_string(),
            "0x393eb0cab6814658eb5f73072f268c89ad162757a9c2dd236ed2d5c8447997a9"
        );
    }

    #[test]
    fn generated_phrases_of_all_lengths_read_back() {
        for count in [12, 15, 18, 21, 24] {
            let mnemonic = Mnemonic::generate(count.try_into().unwrap());
            let phrase = mnemonic.phrase();
            assert_eq!(phrase.split(' ').count(), count);
            let shouted = phrase.to_uppercase().replace(' ', " \n ");
            assert_eq!(Mnemonic::parse(&shouted).unwrap().phrase(), phrase);
            assert_eq!(
                format!("{mnemonic:?}"),
                format!("Mnemonic of {count} words")
            );
        }
    }

    #[test]
    fn path_and_passphrase_choose_the_key() {
        let mnemonic = Mnemonic::parse(ZERO_PHRASE).unwrap();
        let address = |path_text: &str, passphrase: &str| {
            mnemonic
                .derive(&path(path_text), passphrase)
                .unwrap()
                .address()
        };
        let first = address(DEFAULT_PATH, "");
        assert_eq!(first, mnemonic.secret_key().unwrap().address());
        assert_ne!(first, address("m/44'/784'/0'/0/1", ""));
        assert_ne!(first, address(DEFAULT_PATH, "x"));
        assert_eq!(path(DEFAULT_PATH).to_string(), DEFAULT_PATH);
    }

    #[test]
    fn wrong_phrases_are_named_without_repeating_a_word() {
        let error = |phrase: &str| Mnemonic::parse(phrase).unwrap_err();
        assert_eq!(error(""), MnemonicError::WordCount(0));
        assert_eq!(error("abandon"), MnemonicError::WordCount(1));
        assert_eq!(
            error(&"abandon ".repeat(100_000)),
            MnemonicError::WordCount(100_000)
        );
        assert_eq!(error(&"abandon ".repeat(12)), MnemonicError::Checksum);
        let misspelt = error(&ZERO_PHRASE.replace("about", "abuot"));
        assert_eq!(misspelt, MnemonicError::UnknownWord(12));
        assert!(!misspelt.to_string().contains("abuot"));
    }

    #[test]
    fn wrong_paths_are_refused() {
        let too_deep = format!("m{}", "/0".repeat(256));
        for text in [
            "",
            "44'/784'",
            "m/",
            "m/x",
            "m/4294967295",
            "m/-1",
            "m//0",
            &too_deep,
        ] {
            assert!(
                matches!(text.parse::<KeyPath>(), Err(MnemonicError::Path(_))),
                "{text}"
            );
        }
    }
}
