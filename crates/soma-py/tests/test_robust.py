"""Arguments that make no sense, loops that end, tasks that are cancelled, threads: an exception
each time, with the name of the argument, and never a crash or a hang."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import weakref

import pytest
import soma_sdk
from soma_sdk import Keypair, SomaClient

#: Values that are right for no argument.
ODD = [None, object(), 1 << 2000, -(1 << 70), float("nan"), "", "\0", "é" * 3, b"", b"\xff" * 7, [], {}]
ODD += [[None], [float("nan")] * 16, {"a": 1}, lambda: None, True]
#: What has no arguments worth a test.
NO_ARGUMENTS = {"address", "to_secret_key", "to_encoded", "generate"}
#: What would wait for another epoch, or end this one.
SLOW = {"wait_for_next_epoch", "advance_epoch"}

#: Arguments that are right in form; each is replaced by odd ones in turn.
RIGHT = {
    "signer": Keypair.generate(),
    "address": "0x" + "11" * 32,
    "owner": "0x" + "11" * 32,
    "recipient": "0x" + "11" * 32,
    "validator": "0x" + "11" * 32,
    "reportee": "0x" + "11" * 32,
    "model_id": "0x" + "11" * 32,
    "target_id": "0x" + "11" * 32,
    "staked_soma_id": "0x" + "11" * 32,
    "object_id": "0x" + "11" * 32,
    "object_ids": ["0x" + "11" * 32],
    "recipients": ["0x" + "11" * 32],
    "amounts": [1.0],
    "amount": 1.0,
    "stake_amount": 1.0,
    "commission_rate": 100,
    "new_rate": 100,
    "embedding": [1.0] * 16,
    "target_embedding": [1.0] * 16,
    "weights_url": "http://127.0.0.1:9/",
    "data_url": "http://127.0.0.1:9/",
    "encrypted_weights": b"weights",
    "decryption_key": "11111111111111111111111111111112",
    "data": b"data",
    "distance_score": 0.5,
    "loss_score": [1.0],
    "models": [],
    "status": "open",
    "limit": 1,
    "version": 1,
    "epoch": 0,
    "timeout": 0.1,
    "seed": 0,
}

METHODS = sorted(
    name
    for name, method in inspect.getmembers(SomaClient)
    if not name.startswith("_") and callable(method) and name not in SLOW
)


def arguments_of(function) -> dict[str, object]:
    names = [n for n, p in inspect.signature(function).parameters.items() if n != "self"]
    return {name: RIGHT.get(name, b"\x01" * 33) for name in names}


async def outcome(call) -> BaseException | None:
    """What came of a call; everything but a plain error fails the test."""
    try:
        result = call()
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, 60)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        assert "PanicException" not in type(error).__name__
        return error
    return None


@pytest.mark.parametrize("method", METHODS)
async def test_odd_arguments_give_errors(client, method):
    function = getattr(client, method)
    right = arguments_of(function)
    for name in right:
        for odd in ODD:
            error = await outcome(lambda: function(**{**right, name: odd}))
            if isinstance(error, TypeError) and "unexpected keyword" in str(error):
                pytest.fail(str(error))


@pytest.mark.parametrize("method", METHODS)
async def test_arguments_that_are_missing_or_too_many_are_type_errors(client, method):
    function = getattr(client, method)
    right = arguments_of(function)
    with pytest.raises(TypeError):
        result = function(*right.values(), 1, 2, 3)
        if inspect.isawaitable(result):
            await result
    with pytest.raises(TypeError):
        result = function(no_such_argument=1)
        if inspect.isawaitable(result):
            await result


#: One wrong value of each kind of argument, and the name that the message must say.
NAMED = [
    ("get_balance", {"address": "0x12"}, "address"),
    ("get_balance", {"address": 5}, "address"),
    ("get_object", {0: "zz"}, "id"),
    ("list_owned_objects", {"owner": "no address"}, "owner"),
    ("list_owned_objects", {"owner": "0x" + "11" * 32, "limit": -1}, "limit"),
    ("get_epoch", {"epoch": -1}, "epoch"),
    ("get_epoch", {"epoch": 1 << 70}, "epoch"),
    ("get_targets", {"limit": 1 << 70}, "limit"),
    ("get_targets", {"status": 7}, "status"),
    ("get_targets", {"submitter": "somebody"}, "submitter"),
    ("list_targets", {"page_token": "not hex"}, "page_token"),
    ("request_faucet", {"address": ""}, "address"),
    ("claim_rewards", {"signer": Keypair.generate(), "target_id": "7"}, "target_id"),
    ("claim_rewards", {"signer": "a key", "target_id": "0x" + "11" * 32}, "signer"),
    ("transfer_coin", {"signer": Keypair.generate(), "recipient": "x", "amount": 1.0}, "recipient"),
    *(
        ("transfer_coin", {"signer": Keypair.generate(), "recipient": "0x" + "11" * 32, "amount": a}, "amount")
        for a in (-1.0, 0.0, float("nan"), float("inf"), 1e30, 1 << 200, "much")
    ),
    ("pay_coins", {"signer": Keypair.generate(), "recipients": ["x"], "amounts": [1.0]}, "recipients"),
    ("pay_coins", {"signer": Keypair.generate(), "recipients": ["0x" + "11" * 32], "amounts": [float("nan")]}, "amounts"),
    ("create_model", {"signer": Keypair.generate(), "commission_rate": -1}, "commission_rate"),
    ("create_model", {"signer": Keypair.generate(), "commission_rate": 1 << 80}, "commission_rate"),
    ("create_model", {"signer": Keypair.generate(), "commission_rate": 1, "stake_amount": -5}, "stake_amount"),
    ("withdraw_stake", {"signer": Keypair.generate(), "staked_soma_id": "0x" + "1" * 63}, "staked_soma_id"),
    ("fetch_model", {"model_id": "0x"}, "model_id"),
    ("fetch_submission_data", {"target_id": "0xgg"}, "target_id"),
    (
        "submit_data",
        {
            "signer": Keypair.generate(),
            "target_id": "0x" + "11" * 32,
            "data": b"data",
            "data_url": "http://127.0.0.1:9/",
            "model_id": "0x" + "11" * 32,
            "embedding": [float("nan")] * 16,
            "distance_score": 0.5,
            "loss_score": [1.0],
        },
        "embedding",
    ),
    (
        "submit_data",
        {
            "signer": Keypair.generate(),
            "target_id": "0x" + "11" * 32,
            "data": b"",
            "data_url": "http://127.0.0.1:9/",
            "model_id": "0x" + "11" * 32,
            "embedding": [1.0] * 16,
            "distance_score": 0.5,
            "loss_score": [1.0],
        },
        "data",
    ),
    (
        "submit_data",
        {
            "signer": Keypair.generate(),
            "target_id": "0x" + "11" * 32,
            "data": b"data",
            "data_url": "http://127.0.0.1:9/",
            "model_id": "0x" + "11" * 32,
            "embedding": [1.0] * 16,
            "distance_score": 0.5,
            "loss_score": [float("nan")],
        },
        "loss_score",
    ),
    ("score", {"data_url": "http://a/", "models": 5, "target_embedding": [1.0], "data": b"x"}, "models"),
    ("score", {"data_url": "http://a/", "models": [], "target_embedding": "abc", "data": b"x"}, "target_embedding"),
    ("score", {"data_url": 5, "models": [], "target_embedding": [1.0], "data": b"x"}, "data_url"),
]


@pytest.mark.parametrize("method, arguments, name", NAMED, ids=lambda v: v if isinstance(v, str) else "")
async def test_the_error_names_the_argument(client, method, arguments, name):
    positional = [arguments[key] for key in arguments if isinstance(key, int)]
    keywords = {key: value for key, value in arguments.items() if isinstance(key, str)}
    error = await outcome(lambda: getattr(client, method)(*positional, **keywords))
    assert isinstance(error, (ValueError, TypeError)), f"{error!r}"
    assert name in str(error), f"{error!r}"


def test_helpers_refuse_odd_arguments():
    calls = {
        "encrypt_weights": ("data", "key"),
        "decrypt_weights": ("data", "key"),
        "commitment": ("data",),
        "to_shannons": ("amount",),
        "to_soma": ("shannons",),
        "model_manifest": ("url", "encrypted_weights", "checksum", "size", "decryption_key"),
    }
    for name, arguments in calls.items():
        for odd in ODD:
            for place in range(len(arguments)):
                values = [b"data"] * len(arguments)
                values[place] = odd
                try:
                    getattr(SomaClient, name)(*values)
                except (ValueError, TypeError, OverflowError):
                    pass
    for odd in ODD:
        for call in (
            lambda: soma_sdk.tokenize(odd),
            lambda: soma_sdk.score_locally(odd, b"data"),
            lambda: soma_sdk.score_locally(b"no weights", odd),
            lambda: soma_sdk.sigreg_noise(odd, 0, 16, 256),
            lambda: soma_sdk.sigreg_noise(0, 0, odd, 256),
            lambda: soma_sdk.sigreg_noise(0, 0, 16, odd),
        ):
            try:
                call()
            except (ValueError, TypeError, OverflowError, RuntimeError):
                pass


def test_noise_of_absurd_size_is_refused_and_not_tried():
    for dim, slices in ((1 << 40, 1 << 20), (1 << 62, 4), (0, 256), (16, 0)):
        with pytest.raises((ValueError, OverflowError)):
            soma_sdk.sigreg_noise(0, 0, dim, slices)


# Loops, tasks, threads ---------------------------------------------------------------------------


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
