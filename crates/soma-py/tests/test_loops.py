"""Loops that end, tasks that are cancelled, threads, collected objects: an answer or an exception
each time, never a crash or a hang."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from soma_sdk import Keypair, SomaClient


def test_a_call_outside_of_a_loop_is_an_error_and_no_crash(localnet):
    with pytest.raises(RuntimeError):
        next(SomaClient(**localnet.urls).__await__())


def test_a_client_lives_on_in_another_loop(localnet):
    async def start():
        return await localnet.client()

    async def ask(client):
        return await client.get_protocol_version()

    client = asyncio.run(start())
    # The loop that it was made in is closed.
    assert asyncio.run(ask(client)) == 1
    assert asyncio.run(ask(client)) == 1


def test_a_loop_that_closes_during_a_call_is_no_harm(localnet):
    async def leave():
        client = await localnet.client()
        asyncio.ensure_future(client.wait_for_next_epoch(timeout=1.0))
        await asyncio.sleep(0.05)
        return client

    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(leave())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()

    async def ask():
        # The call of the closed loop ends meanwhile.
        await asyncio.sleep(1.5)
        return await client.get_protocol_version()

    assert asyncio.run(ask()) == 1


async def test_a_cancelled_call_ends_at_once_and_leaves_the_client_well(client):
    waiting = asyncio.ensure_future(client.wait_for_next_epoch())
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.wait_for_next_epoch(), 0.2)
    assert await client.get_protocol_version() == 1


async def test_many_cancelled_calls_leave_the_client_well(client, rich):
    address = rich.address()
    for _ in range(20):
        tasks = [asyncio.ensure_future(client.get_balance(address)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, (float, asyncio.CancelledError)) for one in done)
    assert await client.get_balance(address) > 0


async def test_a_cancelled_transfer_does_not_block_the_next(client, funded):
    keypair = await funded(10)
    recipient = Keypair.generate().address()
    for pause in (0, 0.001, 0.01, 0.05):
        sent = asyncio.ensure_future(client.transfer_coin(keypair, recipient, 0.5))
        await asyncio.sleep(pause)
        sent.cancel()
        try:
            await sent
        except asyncio.CancelledError:
            pass
    await client.transfer_coin(keypair, recipient, 1.0)
    # A transfer that was cancelled may have been sent: all or nothing of each.
    assert await client.get_balance(recipient) in (1.0, 1.5, 2.0, 2.5, 3.0)


def test_threads_with_loops_of_their_own_share_a_client(localnet):
    client = asyncio.run(ask_for(localnet))
    address, found, failed = localnet.account(2).address(), [], []

    def work():
        async def run():
            return await asyncio.gather(*(client.get_balance(address) for _ in range(50)))

        try:
            found.extend(asyncio.run(run()))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert not failed and len(found) == 400 and len(set(found)) == 1


async def ask_for(localnet):
    return await localnet.client()


def test_helpers_run_in_threads_at_the_same_time():
    data, results = b"\x07" * 3_000_000, []

    def work():
        sealed, key = SomaClient.encrypt_weights(data)
        results.append(SomaClient.decrypt_weights(sealed, key) == data)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 6


async def test_a_client_that_nobody_holds_finishes_its_calls(localnet, rich):
    client = await localnet.client()
    call = asyncio.ensure_future(client.get_balance(rich.address()))
    del client
    gc.collect()
    assert await call > 0


async def test_results_keep_nothing_alive(client, rich):
    class Marker(str):
        pass

    marker = Marker(rich.address())
    alive = weakref.ref(marker)
    await client.get_balance(marker)
    del marker
    gc.collect()
    await asyncio.sleep(0)
    gc.collect()
    assert alive() is None
