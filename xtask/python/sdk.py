"""The package `soma_sdk` as a process that is told what to measure.

    sdk.py FOLDER

FOLDER holds `data.bin`. Says `ready`, and answers `seal` and `commitment` with the seconds of one
call on that data, and `calls COUNT` with three numbers: seconds of COUNT calls of `get_balance` at
once on one client while the scorer works for it, the longest delay of the event loop meanwhile in
milliseconds, and the scores that were computed.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "crates/soma-py/tests"))

from harness.files import FileServer  # noqa: E402
from harness.localnet import Localnet  # noqa: E402
from harness.weights import DIM, random_weights  # noqa: E402
from soma_sdk import SomaClient  # noqa: E402

#: Time between two looks at the loop's clock.
TICK = 0.001


def timed(call):
    gc.collect()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return seconds


async def delays(stop):
    longest = 0.0
    while not stop.is_set():
        start = time.perf_counter()
        await asyncio.sleep(TICK)
        longest = max(longest, time.perf_counter() - start - TICK)
    return longest


async def score_until(stop, client, files):
    sealed, key = SomaClient.encrypt_weights(random_weights(1))
    manifest = SomaClient.model_manifest(files.put(sealed), sealed, decryption_key=key)
    count, seed = 0, 0
    data = bytes(range(256)) * 256
    while not stop.is_set():
        # Another seed each time: nothing is answered from memory.
        seed += 1
        await client.score(files.put(data), [manifest], [1.0] * DIM, data, seed=seed)
        count += 1
    return count


async def calls(network, files, count):
    client = await network.client()
    address = network.account(0).address()
    await client.get_balance(address)
    stop = asyncio.Event()
    scoring = asyncio.ensure_future(score_until(stop, client, files))
    await asyncio.sleep(0.5)
    watch = asyncio.ensure_future(delays(stop))
    await asyncio.sleep(0.1)
    start = time.perf_counter()
    await asyncio.gather(*(client.get_balance(address) for _ in range(count)))
    seconds = time.perf_counter() - start
    await asyncio.sleep(0.1)
    stop.set()
    return seconds, 1_000 * await watch, await scoring


def main():
    data = (Path(sys.argv[1]) / "data.bin").read_bytes()
    key = SomaClient.encrypt_weights(b"")[1]
    with Localnet() as network:
        files = FileServer()
        print("ready", flush=True)
        for line in sys.stdin:
            command, *numbers = line.split()
            if command == "seal":
                print(timed(lambda: SomaClient.encrypt_weights(data, key)), flush=True)
            elif command == "commitment":
                print(timed(lambda: SomaClient.commitment(data)), flush=True)
            else:
                print(*asyncio.run(calls(network, files, int(numbers[0]))), flush=True)


main()
