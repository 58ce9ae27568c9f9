"""Many calls at once on one client, and a loop that goes on meanwhile."""

import asyncio
import time

from harness.game import targets_of
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
