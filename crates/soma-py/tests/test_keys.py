"""Keys: made, read in every documented form, and never half accepted."""

import re

import pytest
from soma_sdk import Keypair

PHRASE = "abandon " * 11 + "about"


def test_a_new_key_is_random_and_has_an_address():
    one, other = Keypair.generate(), Keypair.generate()
    assert one.address() != other.address()
    assert re.fullmatch(r"0x[0-9a-f]{64}", one.address())


def test_a_secret_key_is_read_in_every_form_that_it_is_written_in():
    key = Keypair.generate()
    text = key.to_secret_key()
    assert re.fullmatch(r"[0-9a-f]{64}", text)
    encoded = key.to_encoded()
    assert encoded.startswith("somaprivkey1")
    for form in (text, "0x" + text, text.upper(), bytes.fromhex(text), encoded):
        assert Keypair.from_secret_key(form).address() == key.address(), form
    assert Keypair.from_secret_key(bytearray.fromhex(text)).address() == key.address()
    assert Keypair.from_encoded(encoded).address() == key.address()


def test_a_new_phrase_has_as_many_words_as_wanted():
    assert len(Keypair.generate_mnemonic().split()) == 12
    for words in (12, 15, 18, 21, 24):
        phrase = Keypair.generate_mnemonic(words)
        assert len(phrase.split()) == words
        assert Keypair.from_mnemonic(phrase).address()
    for wrong in (0, 13, 25, -1, 10**30, "x", 12.0, None):
        with pytest.raises(ValueError, match="words"):
            Keypair.generate_mnemonic(wrong)


def test_the_same_secret_is_the_same_key():
    key = Keypair.generate()
    same = Keypair.from_secret_key(key.to_secret_key())
    assert key == same and hash(key) == hash(same) and key != Keypair.generate()
    assert key.public_key() == same.public_key()
    assert re.fullmatch(r"0x0[23][0-9a-f]{64}", key.public_key())


def test_a_phrase_gives_the_same_key_each_time():
    one, other = Keypair.from_mnemonic(PHRASE), Keypair.from_mnemonic(PHRASE)
    assert one.to_secret_key() == other.to_secret_key()
    assert one.address() != Keypair.generate().address()


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_key_of_another_length_is_refused_with_its_length(length):
    with pytest.raises(ValueError, match=f"Secret key must be exactly 32 bytes, got {length}"):
        Keypair.from_secret_key(bytes(length))


@pytest.mark.parametrize("text", ["xyz", "0x12zz" + "0" * 58, "somaprivkey1qqqq", "", "é" * 32])
def test_a_text_that_is_no_key_is_refused(text):
    with pytest.raises(ValueError):
        Keypair.from_secret_key(text)


def test_half_a_surrogate_pair_is_refused_by_name():
    readers = {"secret_key": Keypair.from_secret_key, "mnemonic": Keypair.from_mnemonic}
    for name, read in {**readers, "encoded": Keypair.from_encoded}.items():
        with pytest.raises(ValueError, match=name):
            read("\ud800")


def test_hex_that_is_none_says_so():
    with pytest.raises(ValueError, match="Invalid hex string"):
        Keypair.from_secret_key("zz" * 32)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_numbers_that_are_no_key_of_the_curve_are_refused(secret):
    with pytest.raises(ValueError):
        Keypair.from_secret_key(secret)


@pytest.mark.parametrize("wrong", [None, 5, 1.5, [1, 2], {}, object()])
def test_a_key_of_another_type_is_a_type_error_or_value_error(wrong):
    for read in (Keypair.from_secret_key, Keypair.from_mnemonic, Keypair.from_encoded):
        with pytest.raises((TypeError, ValueError)):
            read(wrong)


@pytest.mark.parametrize("phrase", ["", "one two", PHRASE + " about", "zzzz " * 12])
def test_a_phrase_that_is_none_is_refused(phrase):
    with pytest.raises(ValueError):
        Keypair.from_mnemonic(phrase)


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\xff" * 1000])
def test_signing_what_is_no_transaction_is_refused(garbage):
    with pytest.raises(ValueError):
        Keypair.generate().sign(garbage)


def test_a_key_does_not_show_its_secret():
    key = Keypair.generate()
    for text in (repr(key), str(key)):
        assert key.to_secret_key() not in text
        assert key.to_encoded() not in text
