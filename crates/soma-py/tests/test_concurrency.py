"""Many calls at once on one client, and a loop that goes on meanwhile."""

import asyncio
import hashlib
import pathlib
import tempfile
import threading
import time

import numpy as np
from harness.game import targets_of
from harness.localnet import LIMIT
from soma_sdk import Keypair

#: A loop that stands still for longer is blocked; figures are for the benchmark.
STALL_SECONDS = 1.0


async def longest_stall(stop: asyncio.Event) -> float:
    longest = 0.0
    while not stop.is_set():
        start = time.perf_counter()
        await asyncio.sleep(0.002)
        longest = max(longest, time.perf_counter() - start - 0.002)
    return longest


async def test_a_thousand_balances_at_once_while_scoring(client, rich, market, files):
    target = (await targets_of(client))[0]
    models = await client.get_model_manifests(target)
    data = bytes(range(256)) * 200
    url = files.put(data)
    stop = asyncio.Event()
    watch = asyncio.ensure_future(longest_stall(stop))
    scores = [client.score(url, models, target.embedding, data) for _ in range(3)]
    scoring = asyncio.gather(*scores)
    address = rich.address()
    balances = await asyncio.gather(*(client.get_balance(address) for _ in range(1000)))
    assert len(balances) == 1000 and all(isinstance(one, float) for one in balances)
    results = await scoring
    assert len({round(result.distance[0], 4) for result in results}) == 1
    stop.set()
    assert await watch < STALL_SECONDS


async def test_transfers_of_one_key_at_once_all_arrive(client, funded):
    keypair, recipient = await funded(50), Keypair.generate().address()
    sent = [client.transfer_coin(keypair, recipient, 0.5) for _ in range(40)]
    effects = await asyncio.gather(*sent)
    assert len({one.transaction_digest for one in effects}) == 40
    assert await client.get_balance(recipient) == 20.0


async def test_reads_go_on_while_a_call_waits(client, rich):
    waiting = asyncio.ensure_future(client.wait_for_next_epoch(timeout=60))
    await asyncio.sleep(0.05)
    for _ in range(20):
        assert await client.get_balance(rich.address()) > 0
    assert not waiting.done()
    waiting.cancel()


async def test_calls_go_on_while_a_download_is_read(client, rich, market, tmp_path, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()
    read = pathlib.Path.read_bytes

    def read_slowly(path):
        begun.set()
        assert may_end.wait(LIMIT)
        return read(path)

    monkeypatch.setattr(pathlib.Path, "read_bytes", read_slowly)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fetching = asyncio.ensure_future(client.fetch_model(market.models[0]))
    try:
        assert await asyncio.to_thread(begun.wait, LIMIT)
        assert await client.get_balance(rich.address()) > 0
        assert not fetching.done()
    finally:
        may_end.set()
    assert await fetching == market.weights[0].sealed
    assert list(tmp_path.iterdir()) == []
    # Nor does a call that is cancelled leave anything behind.
    may_end.clear()
    begun.clear()
    fetching = asyncio.ensure_future(client.fetch_model(market.models[0]))
    try:
        assert await asyncio.to_thread(begun.wait, LIMIT)
        fetching.cancel()
        await asyncio.wait([fetching])
    finally:
        may_end.set()
    assert fetching.cancelled() and list(tmp_path.iterdir()) == []


async def test_calls_go_on_while_weights_are_hashed(client, rich, market, files, monkeypatch):
    target = (await targets_of(client))[0]
    models = await client.get_model_manifests(target)
    data = b"scored with weights that are at hand " * 30
    url = files.put(data)
    expected = await client.score(url, models, target.embedding, data)
    sealed = [await client.fetch_model(model.model_id) for model in models]
    kinds = (bytearray, memoryview, lambda weights: np.frombuffer(weights, np.uint8))
    kept = [kind(weights) for kind, weights in zip(kinds, sealed)]
    manifests = [
        {"url": model.url, "decryption_key": model.decryption_key, "encrypted_weights": weights}
        for model, weights in zip(models, kept)
    ]
    begun, may_end, hashed = threading.Event(), threading.Event(), []
    sha3 = hashlib.sha3_256

    def hash_slowly(weights):
        hashed.append(weights.obj)
        begun.set()
        assert may_end.wait(LIMIT)
        return sha3(weights)

    monkeypatch.setattr(hashlib, "sha3_256", hash_slowly)
    scoring = asyncio.ensure_future(client.score(url, manifests, target.embedding, data))
    try:
        assert await asyncio.to_thread(begun.wait, LIMIT)
        assert await client.get_balance(rich.address()) > 0
        assert not scoring.done()
    finally:
        may_end.set()
    # The scorer opens no weights whose checksum or size is another.
    score = await scoring
    assert score.winner == expected.winner
    assert float(score.loss_score) == float(expected.loss_score)
    # They were read where they lie.
    originals = [one.obj if isinstance(one, memoryview) else one for one in kept]
    assert len(hashed) == len(models) == len(originals)
    assert all(one is original for one, original in zip(hashed, originals))


async def test_many_large_answers_all_arrive_in_full(client, market):
    """Together they are larger than what is handed over at a time."""
    await targets_of(client)
    answers = (client.get_targets(status="open", limit=100) for _ in range(64))
    for targets in await asyncio.gather(*answers):
        assert targets and all(len(target.embedding) == 16 for target in targets)
