"""Static helpers: what needs no network."""

import hashlib
import os
import random
import stat
from decimal import Decimal

import numpy as np
import pytest
import soma_sdk
from harness.weights import DIM, random_weights
from soma_sdk import SomaClient

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, place = divmod(number, 58)
        text = BASE58[place] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


@pytest.mark.parametrize("length", [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_what_was_sealed_can_be_opened(length):
    plain = random.Random(length).randbytes(length)
    sealed, key = SomaClient.encrypt_weights(plain)
    assert isinstance(sealed, bytes) and isinstance(key, str)
    assert len(sealed) > length and plain[:32] not in sealed[:100] or length < 32
    assert SomaClient.decrypt_weights(sealed, key) == plain


def test_a_key_may_be_given_as_bytes_or_base58():
    raw = bytes(range(32))
    plain = b"weights" * 1000
    sealed, key = SomaClient.encrypt_weights(plain, raw)
    assert key == base58(raw)
    assert SomaClient.encrypt_weights(plain, key=key)[1] == key
    assert SomaClient.decrypt_weights(sealed, raw) == plain
    assert SomaClient.decrypt_weights(data=sealed, key=key) == plain


def test_each_sealing_without_a_key_has_a_key_of_its_own():
    assert SomaClient.encrypt_weights(b"a")[1] != SomaClient.encrypt_weights(b"a")[1]


@pytest.mark.parametrize("change", ["first", "middle", "last", "cut", "longer"])
def test_sealed_weights_that_were_changed_are_refused(change):
    sealed, key = SomaClient.encrypt_weights(b"\x07" * 2_000_000)
    damaged = bytearray(sealed)
    if change == "cut":
        del damaged[-1]
    elif change == "longer":
        damaged += b"\0"
    else:
        damaged[{"first": 0, "middle": len(damaged) // 2, "last": -1}[change]] ^= 1
    with pytest.raises(ValueError):
        SomaClient.decrypt_weights(bytes(damaged), key)


def test_another_key_does_not_open():
    sealed, _ = SomaClient.encrypt_weights(b"weights")
    with pytest.raises(ValueError):
        SomaClient.decrypt_weights(sealed, bytes(32))


@pytest.mark.parametrize("key", [b"", b"a" * 31, b"a" * 33])
def test_a_key_of_another_length_is_named(key):
    for call in (SomaClient.encrypt_weights, SomaClient.decrypt_weights):
        with pytest.raises(ValueError, match="key must be exactly 32 bytes"):
            call(b"data", key)


def test_a_key_that_is_no_base58_is_named():
    with pytest.raises(ValueError, match="[Ii]nvalid base58 key"):
        SomaClient.encrypt_weights(b"data", "0OIl")
    with pytest.raises(ValueError, match="32 bytes, got 33"):
        SomaClient.encrypt_weights(b"data", "x" * 44)


def test_a_commitment_is_the_base58_of_sha3():
    for data in (b"", b"abc", bytes(100_000)):
        assert SomaClient.commitment(data) == base58(hashlib.sha3_256(data).digest())


def test_amounts_are_exact():
    assert SomaClient.to_shannons(1.5) == 1_500_000_000
    assert SomaClient.to_shannons(0.000000001) == 1
    # By plain float arithmetic these lose a shannon.
    for text in ("0.29", "1.1", "4.35", "2.675", "1234567.123456789"):
        whole, _, part = text.partition(".")
        assert SomaClient.to_shannons(float(text)) == int(whole + part.ljust(9, "0")), text
    assert SomaClient.to_soma(1_500_000_000) == 1.5
    for shannons in (0, 1, 290_000_000, 10**16, 10**15 - 1):
        assert SomaClient.to_shannons(SomaClient.to_soma(shannons)) == shannons


def test_computed_amounts_go_to_the_nearest_shannon():
    computed = {0.1 + 0.2: 300_000_000, 1 / 3: 333_333_333, 2 / 3: 666_666_667, 6e-10: 1, 4e-10: 0}
    for amount, shannons in computed.items():
        assert SomaClient.to_shannons(amount) == shannons
    assert SomaClient.to_shannons(np.float32(0.1)) == 100_000_001
    assert SomaClient.to_shannons(9999999.123456789) == 9_999_999_123_456_789
    # What is written out is meant as it stands.
    for exact in ("0.1234567891", Decimal("0.1234567891"), Decimal(1) / 3):
        with pytest.raises(ValueError, match="soma: precision beyond 1 shannon"):
            SomaClient.to_shannons(exact)


def test_files_are_sealed_and_opened_in_place(tmp_path):
    plain = random.Random(1).randbytes(2_500_000)
    source, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    source.write_bytes(plain)
    done = SomaClient.encrypt_weights_file(source, sealed)
    assert sealed.stat().st_size == done.size
    assert done.checksum == SomaClient.commitment(sealed.read_bytes())
    assert done.checksum == SomaClient.commitment_file(sealed)
    assert done.plaintext_checksum == SomaClient.commitment(plain)
    assert SomaClient.decrypt_weights(sealed.read_bytes(), done.key) == plain
    SomaClient.decrypt_weights_file(str(sealed), str(opened), done.key)
    assert opened.read_bytes() == plain
    with pytest.raises(ValueError):
        SomaClient.decrypt_weights_file(sealed, tmp_path / "other", bytes(32))
    assert not (tmp_path / "other").exists()
    # In place a fresh key could be lost with the weights; with one's own it is safe.
    with pytest.raises(ValueError, match="key: "):
        SomaClient.encrypt_weights_file(source, source)
    assert source.read_bytes() == plain
    SomaClient.encrypt_weights_file(source, source, done.key)
    SomaClient.decrypt_weights_file(source, source, done.key)
    assert source.read_bytes() == plain
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(soma_sdk.FileError):
            SomaClient.commitment_file(missing)


@pytest.mark.skipif(os.name != "posix", reason="files have other permissions there")
def test_all_may_read_a_sealed_file_and_only_its_owner_an_opened_one(tmp_path):
    source, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    source.write_bytes(b"weights")
    for umask, mode in ((0o022, 0o644), (0o027, 0o640)):
        before = os.umask(umask)
        try:
            done = SomaClient.encrypt_weights_file(source, sealed)
            SomaClient.decrypt_weights_file(sealed, opened, done.key)
        finally:
            os.umask(before)
        assert stat.S_IMODE(sealed.stat().st_mode) == mode
        assert stat.S_IMODE(opened.stat().st_mode) == 0o600


@pytest.mark.parametrize("amount", [-1.0, -1e-12, float("nan"), float("inf"), 1e300])
def test_an_amount_that_is_none_is_refused(amount):
    with pytest.raises(ValueError, match="soma"):
        SomaClient.to_shannons(amount)


def test_an_amount_of_shannons_that_is_none_is_refused():
    for wrong in (-1, 1 << 64, 1 << 2000):
        with pytest.raises((ValueError, OverflowError)):
            SomaClient.to_soma(wrong)


def test_a_manifest_is_what_score_takes():
    sealed, key = SomaClient.encrypt_weights(b"weights")
    manifest = SomaClient.model_manifest("https://a/b", sealed, decryption_key=key)
    assert manifest.url == "https://a/b"
    assert manifest.size == len(sealed)
    assert manifest.checksum == SomaClient.commitment(sealed)
    assert manifest.decryption_key == key
    by_numbers = SomaClient.model_manifest(
        "https://a/b", checksum=manifest.checksum, size=manifest.size, decryption_key=key
    )
    assert vars(by_numbers) == vars(manifest)


def test_a_manifest_needs_the_weights_or_their_checksum_and_size():
    with pytest.raises(ValueError):
        SomaClient.model_manifest("https://a/b")


def test_a_manifest_refuses_what_is_not_true_of_its_weights():
    right = {"checksum": SomaClient.commitment(b"sealed"), "size": 6}
    assert SomaClient.model_manifest("https://a/b", b"sealed", **right).size == 6
    for name, value in (("checksum", SomaClient.commitment(b"other")), ("size", 7)):
        with pytest.raises(ValueError, match=f"{name}: .* encrypted_weights"):
            SomaClient.model_manifest("https://a/b", b"sealed", **{**right, name: value})
    for name, value in (("checksum", 5), ("size", "6"), ("size", -1)):
        with pytest.raises(ValueError, match=name):
            SomaClient.model_manifest("https://a/b", b"sealed", **{name: value})


def test_tokens_are_those_of_the_contract():
    data = bytes(range(256)) * 5
    found = soma_sdk.tokenize(data)
    assert len(found.token_ids) == len(found.targets) == len(found.pos_ids) == 2
    assert found.token_ids[0][:4] == [0, 1, 2, 3]
    assert found.targets[0][:3] == [1, 2, 3] and found.targets[0][-1] == 256
    assert found.token_ids[1][255:258] == [255, 257, 256]
    assert found.pos_ids[1][255:258] == [1279, 1280, 1280]
    for rows in (found.token_ids, found.targets, found.pos_ids):
        assert all(len(row) == 1024 for row in rows)
    assert SomaClient.tokenize(data) == found
    assert soma_sdk.tokenize(b"").token_ids == []


def test_noise_is_normal_and_the_same_each_time():
    noise = np.asarray(SomaClient.sigreg_noise(0, 0, DIM, 256))
    assert noise.shape == (DIM, 256) and noise.dtype == np.float32
    again = np.asarray(soma_sdk.sigreg_noise(seed=0, batch=0, dim=DIM, slices=256))
    assert np.array_equal(noise, again)
    other = np.asarray(soma_sdk.sigreg_noise(0, 1, DIM, 256))
    assert not np.array_equal(noise, other)
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1


def test_local_scores_need_no_service(tmp_path):
    text = b"some text to score " * 20
    many = [random_weights(seed, np.arange(DIM) - 7.0 * seed) for seed in (1, 2)]
    score = SomaClient.score_locally(many[0], text)
    assert len(score.embedding) == DIM and score.distance is None
    assert score.loss_score > 0 and score.loss_score[0] == score.loss_score
    path = tmp_path / "weights.safetensors"
    path.write_bytes(many[0])
    assert soma_sdk.score_locally(path, text).loss_score == score.loss_score
    sealed, key = SomaClient.encrypt_weights(many[0])
    assert soma_sdk.score_locally(sealed, text, key=key).loss_score == score.loss_score
    both = soma_sdk.score_locally(many, text, target_embedding=score.embedding, seed=3)
    assert both.winner in (0, 1) and len(both.models) == 2
    assert both.models[0].distance == pytest.approx(0, abs=1e-3)
    assert both.loss_score == min(model.loss_score for model in both.models)
    for wrong in (b"", b"no weights", many[0][:-4]):
        with pytest.raises(ValueError, match="weights"):
            soma_sdk.score_locally(wrong, text)
    with pytest.raises(ValueError, match="data"):
        soma_sdk.score_locally(many[0], b"")


def test_local_scores_name_the_weights_that_cannot_be_had(tmp_path):
    good, missing, short = random_weights(1), tmp_path / "missing", tmp_path / "short"
    short.write_bytes(b"abc")
    with pytest.raises(ValueError, match="^weights: too short"):
        soma_sdk.score_locally(b"abc", b"text")
    with pytest.raises(ValueError, match=f"^weights: number 0: {short}: too short"):
        soma_sdk.score_locally([short, good], b"text")
    with pytest.raises(soma_sdk.FileError, match=f"^weights: number 1: {missing}: "):
        soma_sdk.score_locally([good, missing], b"text")
    with pytest.raises(ValueError, match="^weights: number 1: "):
        soma_sdk.score_locally([good, good[:-4]], b"text")
