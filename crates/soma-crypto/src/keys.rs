//! secp256k1 keys: addresses, signing, verification.
//!
//! ECDSA as in RFC 6979 (deterministic nonces), always with the lower s: each digest has one
//! signature by each key that this module makes, and nobody can turn an accepted signature into
//! a second one.
//!
//! Secrets are the work of `k256`. Signatures are checked by `libsecp256k1`, in about a third of the
//! time; a test holds the two to the same verdicts.

use k256::ecdsa::SigningKey;
use k256::ecdsa::signature::hazmat::PrehashSigner;
use secp256k1::{Message, ecdsa};
use soma_types::{Address, PublicKey, Signature};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::{Domain, hash};

/// Why a value is not a secret key. No message repeats the value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SecretKeyError {
    /// The text has other characters than hex digits, or an odd number of them.
    #[error("Secret key is not hexadecimal; give 64 hex digits, with or without 0x")]
    NotHex,
    /// Another number of bytes.
    #[error("Secret key must be exactly 32 bytes, got {0}")]
    Length(usize),
    /// Zero, or not below the order of the curve.
    #[error("Secret key is not a number between 1 and the order of secp256k1")]
    OutOfRange,
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// The public key is not a point of the curve.
    #[error("the public key is not a compressed point of secp256k1")]
    BadPublicKey,
    /// r or s is zero or not below the order of the curve.
    #[error("the signature's r or s is zero or too large")]
    OutOfRange,
    /// s is in the upper half; the same signature with the lower s is the only one accepted.
    #[error("the signature has a high s; sign with the low-s rule")]
    HighS,
    /// The signature is not by this key over this digest.
    #[error("the signature does not match the public key and the signed bytes")]
    Mismatch,
}

/// A secret key. Its memory is overwritten when dropped, and it never prints.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey of {}", self.address())
    }
}

impl SecretKey {
    /// A fresh key from the system's randomness.
    pub fn generate() -> Self {
        Self(SigningKey::random(&mut rand_core::OsRng))
    }

    /// The key with these bytes, a big-endian number.
    ///
    /// # Errors
    /// [`SecretKeyError::OutOfRange`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SecretKeyError> {
        SigningKey::from_bytes(bytes.into())
            .map(Self)
            .map_err(|_| SecretKeyError::OutOfRange)
    }

    /// The key in hex, with or without `0x`.
    ///
    /// # Errors
    /// Other text, another length, or a number out of range.
    pub fn from_hex(text: &str) -> Result<Self, SecretKeyError> {
        let text = text.trim();
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .unwrap_or(text);
        let bytes = Zeroizing::new(hex::decode(digits).map_err(|_| SecretKeyError::NotHex)?);
        let bytes: &[u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| SecretKeyError::Length(bytes.len()))?;
        Self::from_bytes(bytes)
    }

    /// The key's bytes, overwritten when dropped.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The key as `0x` and 64 hex digits, overwritten when dropped.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let bytes = self.to_bytes();
        let mut text = Zeroizing::new(String::with_capacity(66));
        text.push_str("0x");
        for byte in bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        text
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(true);
        let mut bytes = [0; 33];
        bytes.copy_from_slice(point.as_bytes());
        PublicKey(bytes)
    }

    /// The address of the public key.
    pub fn address(&self) -> Address {
        address_of(&self.public_key())
    }

    /// Signs a digest: deterministic ECDSA (RFC 6979) with the lower s.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        let signature: Result<k256::ecdsa::Signature, _> = self.0.sign_prehash(digest);
        // Fails only for r or s zero, which nobody can reach; the result then never verifies.
        signature.map_or(Signature([0; 64]), |signature| {
            let low = signature.normalize_s().unwrap_or(signature);
            Signature(low.to_bytes().into())
        })
    }
}

/// The address of a public key.
pub fn address_of(key: &PublicKey) -> Address {
    Address(hash(Domain::Address, key))
}

/// Checks a signature over a digest. To check many, use a [`Verifier`](crate::Verifier), which
/// remembers decompressed keys.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_digest(
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &Signature,
) -> Result<(), SignatureError> {
    verify_with(&decompress(key)?, digest, signature)
}

/// The point of a compressed key: a square root, about a tenth of a verification.
pub(crate) fn decompress(key: &PublicKey) -> Result<secp256k1::PublicKey, SignatureError> {
    secp256k1::PublicKey::from_byte_array_compressed(key.0)
        .map_err(|_| SignatureError::BadPublicKey)
}

pub(crate) fn verify_with(
    key: &secp256k1::PublicKey,
    digest: &[u8; 32],
    signature: &Signature,
) -> Result<(), SignatureError> {
    // Zero is read by the library and refused as a mismatch later; here it has its own name.
    let (r, s) = signature.0.split_at(32);
    if r == [0; 32] || s == [0; 32] {
        return Err(SignatureError::OutOfRange);
    }
    let signature =
        ecdsa::Signature::from_compact(&signature.0).map_err(|_| SignatureError::OutOfRange)?;
    let mut low = signature;
    low.normalize_s();
    if low != signature {
        return Err(SignatureError::HighS);
    }
    ecdsa::verify(&signature, Message::from_digest(*digest), key)
        .map_err(|_| SignatureError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k256::ecdsa::VerifyingKey;
    use k256::ecdsa::signature::hazmat::PrehashVerifier;
    use proptest::prelude::*;

    // The order of secp256k1 (SEC 2, section 2.4.1).
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    /// [`verify_digest`] by k256 alone.
    fn by_k256(
        key: &PublicKey,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let key =
            VerifyingKey::from_sec1_bytes(&key.0).map_err(|_| SignatureError::BadPublicKey)?;
        let signature = k256::ecdsa::Signature::from_slice(&signature.0)
            .map_err(|_| SignatureError::OutOfRange)?;
        if signature.normalize_s().is_some() {
            return Err(SignatureError::HighS);
        }
        key.verify_prehash(digest, &signature)
            .map_err(|_| SignatureError::Mismatch)
    }

    fn key(n: u8) -> SecretKey {
        let mut bytes = [0; 32];
        bytes[31] = n;
        SecretKey::from_bytes(&bytes).unwrap()
    }

    fn with_s(signature: &Signature, s: [u8; 32]) -> Signature {
        let mut bytes = signature.0;
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    }

    fn order_minus(s: &[u8]) -> [u8; 32] {
        let mut out: [u8; 32] = hex::decode(ORDER).unwrap().try_into().unwrap();
        let mut borrow = 0;
        for (byte, sub) in out.iter_mut().zip(s).rev() {
            let value = i16::from(*byte) - i16::from(*sub) - borrow;
            borrow = i16::from(value < 0);
            *byte = value.rem_euclid(256) as u8;
        }
        out
    }

    #[test]
    fn key_one_has_the_generator_as_its_public_key() {
        let expected = "0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        assert_eq!(key(1).public_key().to_string(), expected);
    }

    #[test]
    fn an_address_is_a_golden_value() {
        // SHA3-256(12 ‖ "soma/address" ‖ compressed generator), computed independently.
        assert_eq!(
            key(1).address().to_string(),
            "0x7ce84179b115bdee3535e3dca1ac447fe3f66b02eaeb91e59e7fa14796a69402"
        );
        assert_eq!(address_of(&key(1).public_key()), key(1).address());
    }

    #[test]
    fn a_signature_is_the_published_rfc_6979_value() {
        // Key 1 over SHA-256("Satoshi Nakamoto"): the widely published deterministic vector.
        let digest = "a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e";
        let digest: [u8; 32] = hex::decode(digest).unwrap().try_into().unwrap();
        let expected = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                        2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5";
        assert_eq!(hex::encode(key(1).sign_digest(&digest).0), expected);
    }

    #[test]
    fn hex_is_read_with_and_without_a_prefix_and_round_trips() {
        let key = SecretKey::generate();
        let text = key.to_hex();
        assert_eq!(text.len(), 66);
        for form in [text.as_str(), &text[2..], &format!(" {}\n", *text)] {
            assert_eq!(SecretKey::from_hex(form).unwrap().address(), key.address());
        }
    }

    #[test]
    fn a_bad_secret_key_is_refused_without_repeating_it() {
        let error = |text: &str| SecretKey::from_hex(text).unwrap_err();
        assert_eq!(
            error("0xabcd").to_string(),
            "Secret key must be exactly 32 bytes, got 2"
        );
        assert_eq!(error(""), SecretKeyError::Length(0));
        assert_eq!(error("abc"), SecretKeyError::NotHex);
        assert_eq!(error("très secret"), SecretKeyError::NotHex);
        assert!(!error("hunter2").to_string().contains("hunter2"));
        assert_eq!(error(&"00".repeat(32)), SecretKeyError::OutOfRange);
        assert_eq!(error(ORDER), SecretKeyError::OutOfRange);
        assert_eq!(error(&"ff".repeat(32)), SecretKeyError::OutOfRange);
    }

    #[test]
    fn debug_shows_the_address_and_not_the_key() {
        let key = key(7);
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SecretKey of {}", key.address()));
        assert!(!shown.contains(&key.to_hex()[2..]));
    }

    #[test]
    fn the_mirrored_signature_is_refused_as_high_s() {
        let digest = [5; 32];
        let good = key(3).sign_digest(&digest);
        let high = with_s(&good, order_minus(&good.0[32..]));
        let public = key(3).public_key();
        assert_eq!(verify_digest(&public, &digest, &good), Ok(()));
        assert_eq!(
            verify_digest(&public, &digest, &high),
            Err(SignatureError::HighS)
        );
    }

    #[test]
    fn zero_and_too_large_parts_are_refused() {
        let public = key(3).public_key();
        let good = key(3).sign_digest(&[5; 32]);
        let order: [u8; 32] = hex::decode(ORDER).unwrap().try_into().unwrap();
        let mut zero_r = good;
        zero_r.0[..32].fill(0);
        let bad = [
            with_s(&good, [0; 32]),
            with_s(&good, order),
            zero_r,
            Signature([0; 64]),
        ];
        for signature in bad {
            let result = verify_digest(&public, &[5; 32], &signature);
            assert_eq!(result, Err(SignatureError::OutOfRange));
        }
    }

    #[test]
    fn bytes_that_are_no_point_are_refused() {
        let good = key(3).sign_digest(&[5; 32]);
        let mut off_curve = key(3).public_key();
        off_curve.0[1..].fill(0xff);
        let mut bad_tag = key(3).public_key();
        bad_tag.0[0] = 4;
        for public in [off_curve, bad_tag, PublicKey([0; 33])] {
            let result = verify_digest(&public, &[5; 32], &good);
            assert_eq!(result, Err(SignatureError::BadPublicKey));
        }
    }

    /// Numbers at the borders of what r, s and x may be.
    fn borders() -> Vec<[u8; 32]> {
        let order: [u8; 32] = hex::decode(ORDER).unwrap().try_into().unwrap();
        let mut borders = vec![[0; 32], [0xff; 32], order];
        let mut one = [0; 32];
        one[31] = 1;
        let half = {
            // The order is odd: half of it, rounded down, by a shift.
            let mut half = order;
            let mut carry = 0;
            for byte in &mut half {
                let low = *byte & 1;
                *byte = (*byte >> 1) | (carry << 7);
                carry = low;
            }
            half
        };
        let mut above_half = half;
        above_half[31] += 1;
        // The field's prime is 2^256 - 2^32 - 977.
        let mut prime = [0xff; 32];
        prime[27..].copy_from_slice(&[0xfe, 0xff, 0xff, 0xfc, 0x2f]);
        borders.extend([one, half, above_half, order_minus(&one), prime]);
        borders
    }

    #[test]
    fn two_libraries_give_the_same_verdict_at_every_border() {
        let digest = [5; 32];
        let good = key(3).sign_digest(&digest);
        let public = key(3).public_key();
        for r in borders()
            .into_iter()
            .chain([good.0[..32].try_into().unwrap()])
        {
            for s in borders()
                .into_iter()
                .chain([good.0[32..].try_into().unwrap()])
            {
                let mut signature = with_s(&good, s);
                signature.0[..32].copy_from_slice(&r);
                let verdict = verify_digest(&public, &digest, &signature);
                assert_eq!(
                    verdict,
                    by_k256(&public, &digest, &signature),
                    "{signature}"
                );
            }
        }
        for digest in borders() {
            let good = key(3).sign_digest(&digest);
            assert_eq!(verify_digest(&public, &digest, &good), Ok(()));
            assert_eq!(by_k256(&public, &digest, &good), Ok(()));
        }
        for tag in (0..=255).filter(|tag| *tag != 5) {
            for x in borders()
                .into_iter()
                .chain([public.0[1..].try_into().unwrap()])
            {
                let mut public = PublicKey([tag; 33]);
                public.0[1..].copy_from_slice(&x);
                let verdict = verify_digest(&public, &digest, &good);
                assert_eq!(verdict, by_k256(&public, &digest, &good), "{public}");
            }
        }
    }

    #[test]
    fn a_key_has_one_encoding() {
        // k256 also reads the tag 5, a point without the sign of y.
        let mut public = key(3).public_key();
        public.0[0] = 5;
        let good = key(3).sign_digest(&[5; 32]);
        assert!(VerifyingKey::from_sec1_bytes(&public.0).is_ok());
        let refused = Err(SignatureError::BadPublicKey);
        assert_eq!(verify_digest(&public, &[5; 32], &good), refused);
    }

    proptest! {
        #[test]
        fn two_libraries_give_the_same_verdict(
            secret in prop::array::uniform32(1..=254_u8),
            digest in prop::array::uniform32(any::<u8>()),
            x in prop::array::uniform32(any::<u8>()),
            flips in prop::collection::vec(0..512_usize, 0..3),
            mirrored in any::<bool>(),
            tag in 2..=3_u8,
        ) {
            let secret = SecretKey::from_bytes(&secret).unwrap();
            let mut signature = secret.sign_digest(&digest);
            if mirrored {
                signature = with_s(&signature, order_minus(&signature.0[32..]));
            }
            for bit in &flips {
                signature.0[bit / 8] ^= 1 << (bit % 8);
            }
            let public = secret.public_key();
            let verdict = verify_digest(&public, &digest, &signature);
            prop_assert_eq!(verdict, by_k256(&public, &digest, &signature));
            prop_assert_eq!(verdict.is_ok(), flips_cancel(&flips) && !mirrored);

            // Half of all x have a point.
            let mut other = PublicKey([tag; 33]);
            other.0[1..].copy_from_slice(&x);
            let verdict = verify_digest(&other, &digest, &signature);
            prop_assert_eq!(verdict, by_k256(&other, &digest, &signature));
        }
    }

    /// True when every bit is flipped back.
    fn flips_cancel(flips: &[usize]) -> bool {
        match flips {
            [] => true,
            [a, b] => a == b,
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_signature_holds_for_its_key_and_digest_only(
            secret in prop::array::uniform32(1..=254_u8),
            digest in prop::array::uniform32(any::<u8>()),
            bit in 0..256_usize,
        ) {
            let secret = SecretKey::from_bytes(&secret).unwrap();
            let signature = secret.sign_digest(&digest);
            let public = secret.public_key();
            prop_assert_eq!(verify_digest(&public, &digest, &signature), Ok(()));
            prop_assert_eq!(secret.sign_digest(&digest), signature);

            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            let mismatch = Err(SignatureError::Mismatch);
            prop_assert_eq!(verify_digest(&public, &other, &signature), mismatch);
            prop_assert_eq!(verify_digest(&key(9).public_key(), &digest, &signature), mismatch);
        }
    }
}
