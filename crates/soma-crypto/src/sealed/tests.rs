//! Round trips, the golden stream, and the tamper matrix.

use std::io::{self, Read};

use proptest::prelude::*;
use soma_types::WeightsKey;

use super::header::Header;
use super::writer::seal_from;
use super::*;
use crate::hash::checksum;

const SEALED_SEGMENT: usize = SEGMENT_BYTES + TAG_BYTES;
const KEY: WeightsKey = WeightsKey([7; 32]);

fn weights(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

fn sealed(len: usize) -> Vec<u8> {
    seal_bytes(&weights(len), &KEY).unwrap().0
}

fn opening(bytes: &[u8]) -> SealError {
    let mut written = Vec::new();
    let error = open(bytes, &mut written, &KEY).unwrap_err();
    assert!(
        weights(written.len()) == written,
        "unauthenticated plaintext was given out"
    );
    error
}

/// The bytes of segment `index`, of three where the last holds 5 bytes.
fn segment(bytes: &[u8], index: usize) -> &[u8] {
    let rest = &bytes[HEADER_BYTES + index * SEALED_SEGMENT..];
    &rest[..rest.len().min(SEALED_SEGMENT)]
}

const THREE: usize = 2 * SEGMENT_BYTES + 5;

#[test]
fn every_length_around_a_segment_boundary_comes_back() {
    let boundary = SEGMENT_BYTES;
    for len in [
        0,
        1,
        boundary - 1,
        boundary,
        boundary + 1,
        2 * boundary,
        THREE,
    ] {
        let plain = weights(len);
        let (bytes, report) = seal_bytes(&plain, &KEY).unwrap();
        assert_eq!(report.plaintext_len, len as u64);
        assert_eq!(report.sealed_len, bytes.len() as u64);
        assert_eq!(sealed_len(len as u64), Some(bytes.len() as u64));
        assert_eq!(report.plaintext_checksum, checksum(&plain));
        assert_eq!(report.ciphertext_checksum, checksum(&bytes));
        let (opened, opened_report) = open_bytes(&bytes, &KEY).unwrap();
        assert!(opened == plain);
        assert_eq!(opened_report, report);
    }
}

#[test]
fn the_format_is_a_golden_stream() {
    // Computed by an independent implementation of ChaCha20-Poly1305.
    let header = Header::with_nonce([1, 2, 3, 4, 5, 6, 7]);
    let mut bytes = Vec::new();
    seal_from(&b"SOMA"[..], &mut bytes, &KEY, &header, 0).unwrap();
    assert_eq!(
        hex::encode(&bytes),
        "736f6d617365616c010000000000100001020304050607007f1f9398667ef3520d2f0eb54d994d407df62eed"
    );
    let mut bytes = Vec::new();
    seal_from(&weights(THREE)[..], &mut bytes, &KEY, &header, 0).unwrap();
    assert_eq!(
        checksum(&bytes).to_string(),
        "CV9DxT2Lf1jQGh5JfZhfWHBKFyzZFuzBRzf2Vjtv9k3M"
    );
}

#[test]
fn sealing_twice_gives_different_streams() {
    assert_ne!(sealed(5), sealed(5));
    assert_ne!(fresh_key(), fresh_key());
}

#[test]
fn a_flipped_bit_in_the_header_is_found() {
    let good = sealed(5);
    for index in 0..HEADER_BYTES {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        let error = opening(&bytes);
        let is_nonce = (16..23).contains(&index);
        match error {
            SealError::WrongKeyOrCorrupt => assert!(is_nonce, "byte {index}"),
            SealError::BadHeader(_) => assert!(!is_nonce, "byte {index}"),
            other => panic!("byte {index}: {other}"),
        }
    }
}

#[test]
fn a_flipped_bit_in_any_segment_names_that_segment() {
    let good = sealed(THREE);
    for index in 0..3 {
        let len = segment(&good, index).len();
        let start = HEADER_BYTES + index * SEALED_SEGMENT;
        for offset in [0, 1, len / 2, len - TAG_BYTES - 1, len - TAG_BYTES, len - 1] {
            let mut bytes = good.clone();
            bytes[start + offset] ^= 0x80;
            match (index, opening(&bytes)) {
                (0, SealError::WrongKeyOrCorrupt) => {}
                (_, SealError::Tampered { segment }) => assert_eq!(segment, index as u64),
                (_, other) => panic!("segment {index}, offset {offset}: {other}"),
            }
        }
    }
}

#[test]
fn a_cut_stream_is_never_taken_for_the_whole() {
    let good = sealed(THREE);
    for len in [0, 1, HEADER_BYTES - 1] {
        assert!(matches!(opening(&good[..len]), SealError::BadHeader(_)));
    }
    for whole in 0..3_usize {
        let start = HEADER_BYTES + whole * SEALED_SEGMENT;
        for rest in [0, 1, TAG_BYTES - 1] {
            match opening(&good[..start + rest]) {
                SealError::Truncated { segments } => assert_eq!(segments, whole as u64),
                other => panic!("{whole} segments and {rest} bytes: {other}"),
            }
        }
        let cut = &good[..start + TAG_BYTES];
        match opening(cut) {
            SealError::WrongKeyOrCorrupt => assert_eq!(whole, 0),
            SealError::Tampered { segment } => assert_eq!(segment, whole as u64),
            other => panic!("{whole} segments and a tag: {other}"),
        }
    }
    assert!(matches!(
        opening(&good[..good.len() - 1]),
        SealError::Tampered { segment: 2 }
    ));
}

#[test]
fn swapped_doubled_dropped_and_foreign_segments_are_found() {
    let good = sealed(THREE);
    let header = &good[..HEADER_BYTES];
    let [first, second, last] = [0, 1, 2].map(|index| segment(&good, index));
    let other = sealed(THREE);
    let tampered = |parts: &[&[u8]], at: u64| {
        let bytes = [&[header], parts].concat().concat();
        match opening(&bytes) {
            SealError::WrongKeyOrCorrupt => assert_eq!(at, 0),
            SealError::Tampered { segment } => assert_eq!(segment, at),
            other => panic!("expected segment {at}: {other}"),
        }
    };
    tampered(&[second, first, last], 0);
    tampered(&[first, first, second, last], 1);
    tampered(&[first, last], 1);
    tampered(&[second, last], 0);
    tampered(&[first, segment(&other, 1), last], 1);
    tampered(&[first, second, segment(&other, 2)], 2);
}

#[test]
fn appended_bytes_are_found() {
    let full = sealed(2 * SEGMENT_BYTES);
    let twice = [full.as_slice(), segment(&full, 1)].concat();
    assert!(matches!(
        opening(&twice),
        SealError::TrailingBytes { segment: 1 }
    ));
    let one_more = [full.as_slice(), b"x"].concat();
    assert!(matches!(
        opening(&one_more),
        SealError::TrailingBytes { segment: 1 }
    ));
    // After a short last segment, what follows is read as part of it.
    let short = [sealed(THREE).as_slice(), b"x"].concat();
    assert!(matches!(
        opening(&short),
        SealError::Tampered { segment: 2 }
    ));
}

#[test]
fn an_empty_last_segment_after_others_is_refused() {
    use chacha20poly1305::aead::stream::{NewStream as _, StreamPrimitive as _};
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};

    let header = Header::with_nonce([9; 7]);
    let aead = ChaCha20Poly1305::new(&KEY.0.into());
    let stream = Stream::from_aead(aead, &header.nonce().into());
    let data = header.associated_data();
    let mut bytes = header.as_bytes().to_vec();
    for (position, mut part) in [weights(SEGMENT_BYTES), Vec::new()].into_iter().enumerate() {
        stream
            .encrypt_in_place(position as u32, position == 1, &data, &mut part)
            .unwrap();
        bytes.extend(part);
    }
    assert!(matches!(
        opening(&bytes),
        SealError::Tampered { segment: 1 }
    ));
}

#[test]
fn another_key_opens_nothing() {
    let error = open_bytes(&sealed(5), &WeightsKey([8; 32])).unwrap_err();
    assert!(matches!(error, SealError::WrongKeyOrCorrupt));
}

#[test]
fn a_stream_stops_where_its_segment_numbers_end() {
    let header = Header::with_nonce([0; 7]);
    let seal_at_the_end = |len| seal_from(&weights(len)[..], io::sink(), &KEY, &header, u32::MAX);
    assert!(seal_at_the_end(SEGMENT_BYTES).is_ok());
    assert!(matches!(
        seal_at_the_end(SEGMENT_BYTES + 1),
        Err(SealError::TooLong)
    ));
    let most = (SEGMENT_BYTES as u64) << 32;
    assert!(sealed_len(most).is_some());
    assert_eq!(sealed_len(most + 1), None);
    assert_eq!(sealed_len(u64::MAX), None);
}

/// Gives one byte a call, with interruptions.
struct Dribble<'a>(&'a [u8], bool);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = out.len().min(1);
        self.0.read(&mut out[..len])
    }
}

#[test]
fn short_and_interrupted_reads_change_nothing() {
    let plain = weights(700);
    let mut bytes = Vec::new();
    let report = seal(Dribble(&plain, false), &mut bytes, &KEY).unwrap();
    let mut reader = SealedReader::new(Dribble(&bytes, false), &KEY).unwrap();
    let mut opened = Vec::new();
    reader.read_to_end(&mut opened).unwrap();
    assert_eq!(opened, plain);
    assert_eq!(reader.report(), Some(report));
}

#[test]
fn a_failed_reader_stays_failed_and_has_no_report() {
    let mut bytes = sealed(THREE);
    bytes[HEADER_BYTES + SEALED_SEGMENT] ^= 1;
    let mut reader = SealedReader::new(bytes.as_slice(), &KEY).unwrap();
    let mut opened = Vec::new();
    let error = reader.read_to_end(&mut opened).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(opened == weights(SEGMENT_BYTES));
    assert_eq!(reader.report(), None);
    assert!(reader.read(&mut [0; 8]).is_err());
    assert!(matches!(reader.next_segment(), Err(SealError::Failed)));
}

#[test]
fn errors_of_the_reader_and_writer_come_through() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk"))
        }
    }
    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(matches!(
        seal(Broken, io::sink(), &KEY),
        Err(SealError::Read(_))
    ));
    assert!(matches!(
        seal(&b"x"[..], Broken, &KEY),
        Err(SealError::Write(_))
    ));
    assert!(matches!(
        open(Broken, io::sink(), &KEY),
        Err(SealError::Read(_))
    ));
    assert!(matches!(
        open(&sealed(1)[..], Broken, &KEY),
        Err(SealError::Write(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_single_changed_byte_opens(
        plain in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let (mut bytes, report) = seal_bytes(&plain, &KEY).unwrap();
        prop_assert_eq!(open_bytes(&bytes, &KEY).unwrap(), (plain, report));
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(open_bytes(&bytes, &KEY).is_err());
    }

    #[test]
    fn hostile_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open_bytes(&bytes, &KEY).is_err());
        let behind_a_header = [sealed(0)[..HEADER_BYTES].to_vec(), bytes].concat();
        prop_assert!(open_bytes(&behind_a_header, &KEY).is_err());
    }
}
