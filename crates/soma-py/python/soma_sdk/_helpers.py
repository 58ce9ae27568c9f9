"""What needs no client: sealed weights, checksums, money, scores."""

import json
import os
from types import SimpleNamespace

from soma_sdk import _arguments as arguments
from soma_sdk import _native
from soma_sdk._numbers import Score, shannons, soma


def encrypt_weights(data, key=None):
    """Seals weights; gives the sealed bytes and the key in Base58.

    The key is 32 bytes or Base58; a fresh one when absent. Never seal two sets of weights with one
    key. `bytes` are read where they are, without a copy.
    """
    data = arguments.data("data", data)
    key = _native.fresh_key() if key is None else arguments.key("key", key)
    return _native.seal(data, key), key


def decrypt_weights(data, key):
    """Opens sealed weights. Raises `ValueError` for another key and for any changed byte."""
    return _native.unseal(arguments.data("data", data), arguments.key("key", key))


def encrypt_weights_file(source, destination, key=None):
    """Seals the file `source` into the file `destination`, in constant memory.

    Gives a namespace: `key`, and of the sealed file `checksum` and `size`; `plaintext_checksum`. To
    seal a file in place, give a key: a fresh one would be lost with whatever ends the call early,
    and the weights with it.
    """
    source = arguments.path("source", source)
    destination = arguments.path("destination", destination)
    if key is None and os.path.exists(destination) and os.path.samefile(source, destination):
        raise ValueError("key: is needed to seal a file in place, or name another destination")
    key = _native.fresh_key() if key is None else arguments.key("key", key)
    return _file_report(key, _native.seal_file(source, destination, key))


def decrypt_weights_file(source, destination, key):
    """Opens the sealed file `source` into the file `destination`, in constant memory.

    The destination is written only when all is well. Gives what `encrypt_weights_file` gives.
    """
    source = arguments.path("source", source)
    destination = arguments.path("destination", destination)
    key = arguments.key("key", key)
    return _file_report(key, _native.unseal_file(source, destination, key))


def _file_report(key, report):
    checksum, size, plaintext_checksum = report
    return SimpleNamespace(
        key=key, checksum=checksum, size=size, plaintext_checksum=plaintext_checksum
    )


def commitment(data):
    """The checksum of data as the network names it: SHA3-256 in Base58."""
    return _native.checksum(arguments.data("data", data))


def commitment_file(path):
    """`commitment` of a file, in constant memory."""
    return _native.checksum_file(arguments.path("path", path))


def to_shannons(soma):
    """Shannons in an amount of SOMA: a float's nearest; of a text or `Decimal` exactly all it says.

    More than nine decimal places of a text or `Decimal` are refused.
    """
    return shannons("soma", soma)


def to_soma(shannons):
    """SOMA in an amount of shannons, as the nearest float."""
    return soma(arguments.whole("shannons", shannons))


def model_manifest(
    url,
    encrypted_weights=None,
    checksum=None,
    size=None,
    decryption_key=None,
    plaintext_checksum=None,
):
    """Names sealed weights for `score`: with the sealed bytes, or with their checksum and size.

    Given all of them, they must agree.
    """
    arguments.text("url", url)
    checksum = None if checksum is None else arguments.checksum("checksum", checksum)
    size = None if size is None else arguments.whole("size", size)
    if encrypted_weights is not None:
        encrypted_weights = arguments.data("encrypted_weights", encrypted_weights)
        found = _native.checksum(encrypted_weights)
        arguments.agree("checksum", checksum, "encrypted_weights", found)
        arguments.agree("size", size, "encrypted_weights", len(encrypted_weights))
        checksum, size = found, len(encrypted_weights)
    elif checksum is None or size is None:
        raise ValueError("Either encrypted_weights or both checksum and size are required")
    if plaintext_checksum is not None:
        plaintext_checksum = arguments.checksum("plaintext_checksum", plaintext_checksum)
    return SimpleNamespace(
        url=url,
        checksum=checksum,
        size=size,
        decryption_key=(
            None if decryption_key is None else arguments.key("decryption_key", decryption_key)
        ),
        plaintext_checksum=plaintext_checksum,
    )


def sigreg_noise(seed, batch, dim, slices):
    """The noise that a loss is computed with: a matrix of `dim` rows and `slices` columns.

    Gives a memoryview of 32-bit floats; `numpy.asarray(noise)` uses it without a copy, and
    `noise.tolist()` makes lists. `batch` is the number of the batch of 16 sequences, from 0.
    """
    dim, slices = arguments.whole("dim", dim), arguments.whole("slices", slices)
    if not dim or not slices:
        raise ValueError("dim and slices: must be at least 1")
    seed, batch = arguments.whole("seed", seed), arguments.whole("batch", batch)
    noise = _native.sigreg_noise(seed, batch, dim, slices)
    return memoryview(noise).cast("f", (dim, slices))


def tokenize(data):
    """Data as the model sees it: rows of 1,024 places.

    Gives a namespace of lists of rows: `token_ids` (bytes, then 257 and 256 up to the end),
    `targets` (what each place should predict) and `pos_ids`.
    """
    return SimpleNamespace(**_native.tokenize(arguments.data("data", data)))


def score_locally(weights, data, target_embedding=None, seed=0, key=None, model_size=None):
    """Scores data with weights on this machine, without any service. Blocks the thread.

    `weights` are the bytes or the path of a safetensors file, or a list of them; with `key` (or a
    list of keys) they are sealed. The size of the model is found out from the file unless
    `model_size` says `small`, `mini`, `base`, `large` or `v1`. Gives what `SomaClient.score` gives.
    Ctrl-C stops it.
    """
    named = [("weights", weights)]
    if isinstance(weights, (list, tuple)):
        named = [(f"weights: number {place}", one) for place, one in enumerate(weights)]
    if not named or len(named) > 255:
        raise ValueError(f"weights: must be 1 to 255 files, got {len(named)}")
    places = [_place(name, one) for name, one in named]
    keys = list(key) if isinstance(key, (list, tuple)) else [key] * len(places)
    if len(keys) != len(places):
        raise ValueError(f"key: {len(keys)} keys for {len(places)} weights")
    keys = [None if one is None else arguments.key("key", one) for one in keys]
    if target_embedding is not None:
        target_embedding = arguments.embedding("target_embedding", target_embedding)
    if model_size is not None:
        arguments.text("model_size", model_size)
    answer = _native.score_locally(
        [name for name, _ in named],
        places,
        arguments.data("data", data),
        target_embedding,
        arguments.whole("seed", seed),
        keys,
        model_size,
    )
    return score_result(answer)


def _place(name, weights):
    if isinstance(weights, (bytes, bytearray, memoryview)):
        return arguments.data(name, weights)
    return arguments.path(name, weights)


def score_result(answer, places=None):
    """A score from the service's answer. `places` are those of its models in the caller's list."""
    winner = answer["winner"]
    if winner is None:
        raise _native.NoWinner("no model gives a finite loss on the data")
    best = answer["models"][winner]
    models = []
    for place, model in enumerate(answer["models"]):
        models.append(
            SimpleNamespace(
                index=place if places is None else places[place],
                loss_score=_score(model["loss"]),
                bits_per_byte=model["bits_per_byte"],
                embedding=model["embedding"],
                distance=_score(model.get("distance")),
            )
        )
    return SimpleNamespace(
        winner=winner if places is None else places[winner],
        loss_score=_score(best["loss"]),
        embedding=best["embedding"],
        distance=_score(best.get("distance")),
        models=models,
        data_checksum=answer["data_checksum"],
        data_size=answer["data_size"],
    )


def _score(value):
    return None if value is None else Score(value)


def kind_text(kind):
    """A transaction's kind as JSON, for `SomaClient.build_transaction`."""
    try:
        return json.dumps(kind)
    except (TypeError, ValueError) as error:
        raise ValueError(f"kind: {error}") from None
