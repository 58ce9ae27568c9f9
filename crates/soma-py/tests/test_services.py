"""Scorer, faucet and admin routes; epochs."""

import asyncio
import time

import pytest
from soma_sdk import Keypair, SomaClient


async def test_the_scorer_says_that_it_is_well(client):
    assert await client.scoring_health() is True


async def test_epochs_advance_when_the_admin_says_so(client):
    before = (await client.get_latest_system_state()).epoch
    assert await client.advance_epoch() == before + 1
    assert (await client.get_latest_system_state()).epoch == before + 1


async def test_waiting_ends_with_the_epoch(client, localnet):
    other = await localnet.client()
    waiting = asyncio.ensure_future(client.wait_for_next_epoch())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    epoch = await other.advance_epoch()
    assert await waiting == epoch


async def test_waiting_gives_up_after_the_time_given(client):
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="Epoch did not advance within 0.5s"):
        await client.wait_for_next_epoch(timeout=0.5)
    assert time.monotonic() - start >= 0.5
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            await client.wait_for_next_epoch(wrong)


async def test_the_next_epochs_can_be_foreseen(client):
    state = await client.get_latest_system_state()
    start, day = state.epoch_start_timestamp_ms, state.parameters.epoch_duration_ms
    assert await client.get_next_epoch_timestamp() == start + day
    assert await client.get_following_epoch_timestamp() == start + 2 * day


async def test_a_service_that_was_not_given_is_named(localnet):
    client = await SomaClient(rpc_url=localnet.urls["rpc_url"])
    address = Keypair.generate().address()
    sealed, key = SomaClient.encrypt_weights(b"weights")
    manifest = SomaClient.model_manifest("http://a/", sealed, decryption_key=key)
    calls = {
        "scoring_url": lambda: client.score("http://a/", [manifest], [1.0], b"data"),
        "admin_url": client.advance_epoch,
        "faucet_url": lambda: client.request_faucet(address),
    }
    for name, call in calls.items():
        with pytest.raises((ValueError, RuntimeError), match=f"No {name} was provided"):
            await call()
    with pytest.raises((ValueError, RuntimeError), match="No scoring_url was provided"):
        await client.scoring_health()


async def test_the_usual_order_of_urls_can_be_given_by_keyword(localnet):
    client = await SomaClient(
        scoring_url=localnet.urls["scoring_url"],
        admin_url=localnet.urls["admin_url"],
        faucet_url=localnet.urls["faucet_url"],
        rpc_url=localnet.urls["rpc_url"],
    )
    assert await client.scoring_health()
