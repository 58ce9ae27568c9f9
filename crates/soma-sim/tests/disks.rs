//! What virtual disks keep.

use std::io::{Read, Seek, SeekFrom, Write};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use soma_chain::{Batch, Store};
use soma_consensus::LogFile;
use soma_sim::disk::{Disk, Honesty, VirtualFile};

fn put(disk: &Disk, key: u8) {
    let mut batch = Batch::default();
    batch.put(vec![key], vec![key]);
    disk.chain.apply(batch).unwrap();
}

fn has(disk: &Disk, key: u8) -> bool {
    disk.chain.get(&[key]).unwrap().is_some()
}

fn content(file: &VirtualFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.clone().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_crash_keeps_what_was_synced_and_a_first_part_of_the_rest() {
    let mut kept = [0; 3];
    for seed in 0..200 {
        let disk = Disk::new(Honesty::Keeps);
        let mut file = disk.undecided.clone();
        put(&disk, 1);
        disk.chain.flush().unwrap();
        put(&disk, 2);
        put(&disk, 3);
        file.write_all(b"synced").unwrap();
        file.sync_data().unwrap();
        file.write_all(b"not").unwrap();
        disk.crash(&mut ChaCha8Rng::seed_from_u64(seed));

        assert!(has(&disk, 1));
        assert!(
            has(&disk, 2) || !has(&disk, 3),
            "a later batch without an earlier one"
        );
        kept[usize::from(has(&disk, 2)) + usize::from(has(&disk, 3))] += 1;
        let bytes = content(&disk.undecided);
        assert!(b"syncednot".starts_with(&bytes) && bytes.starts_with(b"synced"));
    }
    assert!(kept.iter().all(|count| *count > 20), "{kept:?}");
}

#[test]
fn without_power_nothing_is_written_until_the_crash() {
    let disk = Disk::new(Honesty::Keeps);
    let mut file = disk.wal.clone();
    disk.fail_after(2);
    file.write_all(b"a").unwrap();
    assert!(!disk.has_failed());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.sync_data().unwrap();
    assert!(disk.has_failed());
    file.write_all(b"b").unwrap_err();
    disk.chain.flush().unwrap_err();
    disk.crash(&mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(content(&disk.wal), b"a");
    file.write_all(b"b").unwrap();
}

#[test]
fn a_lying_disk_loses_what_it_said_was_synced() {
    let disk = Disk::new(Honesty::Lies);
    put(&disk, 1);
    disk.chain.flush().unwrap();
    disk.crash(&mut ChaCha8Rng::seed_from_u64(1));
    assert!(!has(&disk, 1));
}
