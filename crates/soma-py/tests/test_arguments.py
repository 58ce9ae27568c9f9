"""Arguments that make no sense: an exception each time, with the name of the argument."""

from __future__ import annotations

import asyncio
import inspect

import numpy as np
import pytest
import soma_sdk
from harness.weights import random_weights
from soma_sdk import Keypair, SomaClient

#: A text that cannot be written in UTF-8, and bytes that are there no more.
HALF, GONE = "\ud800", memoryview(b"gone")
GONE.release()
#: Values that are right for no argument.
ODD = [None, object(), 1 << 2000, -(1 << 70), float("nan"), "", "\0", "é" * 3, b"", b"\xff" * 7]
ODD += [[], {}, [None], [float("nan")] * 16, {"a": 1}, lambda: None, True]
ODD += [HALF, GONE, int, np.ndarray, np.zeros((2, 3))]
#: What would wait for another epoch, or end this one.
SLOW = {"wait_for_next_epoch", "advance_epoch"}

ID = "0x" + "11" * 32
URL = "http://127.0.0.1:9/"
#: Arguments that are right in form.
RIGHT = {
    **dict.fromkeys(["address", "owner", "recipient", "validator", "reportee", "model_id"], ID),
    **dict.fromkeys(["target_id", "staked_soma_id", "object_id"], ID),
    **dict.fromkeys(["amount", "stake_amount"], 1.0),
    **dict.fromkeys(["commission_rate", "new_rate"], 100),
    **dict.fromkeys(["embedding", "target_embedding"], [1.0] * 16),
    **dict.fromkeys(["weights_url", "data_url"], URL),
    **dict.fromkeys(["encrypted_weights", "data"], b"data"),
    "signer": Keypair.generate(),
    "object_ids": [ID],
    "recipients": [ID],
    "amounts": [1.0],
    "decryption_key": "1" * 31 + "2",
    "distance_score": 0.5,
    "loss_score": [1.0],
    "models": [SomaClient.model_manifest(URL, b"sealed", decryption_key=bytes(32))],
    "status": "open",
    "limit": 1,
    "version": 1,
    "epoch": 0,
    "seed": 0,
}

METHODS = sorted(
    name
    for name, method in inspect.getmembers(SomaClient)
    if not name.startswith("_") and callable(method) and name not in SLOW
)

NO_NUMBER = [float("nan"), float("inf"), 1e30, 1 << 200, "much", None, [1.0, 2.0]]
NO_AMOUNT = [-1.0, 0.0000000001, *NO_NUMBER]
NO_WHOLE = [np.zeros((2, 3)), int, True]
NO_ID = [HALF, "", "0x", "0x12", "0x" + "1" * 63, "0x" + "gg" * 32, 5, None, b"bytes"]
NO_VECTOR = [[], [0.0] * 16, [float("nan")] * 16, [float("inf")], "abc", 5, ["a"], {}]
NO_VECTOR += [["1.0"] * 16, [True] * 16, np.ndarray, GONE]
#: Manifests whose weights are no bytes.
NO_WEIGHTS = [
    [{"url": URL, "decryption_key": bytes(32), "encrypted_weights": odd}]
    for odd in (5, "text", GONE, np.ndarray)
]
#: Values of an argument that its method must refuse by its name.
NAMED = [
    ("get_balance", "address", NO_ID),
    ("request_faucet", "address", NO_ID),
    ("list_owned_objects", "owner", NO_ID),
    ("list_owned_objects", "limit", [-1, 1.5, "2", *NO_WHOLE]),
    ("get_object", "object_id", NO_ID),
    ("get_epoch", "epoch", [-1, 1 << 70, 0.5, "1", *NO_WHOLE]),
    ("get_targets", "limit", [-1, 1 << 70, *NO_WHOLE]),
    ("get_targets", "status", [7, "opened", b"open", HALF]),
    ("get_targets", "claimable", ["false", 1, None]),
    ("get_targets", "submitter", ["somebody", 5]),
    ("get_targets", "epoch", [-1, "now"]),
    ("list_targets", "limit", [0, -1]),
    ("list_targets", "page_token", [5, HALF]),
    ("fetch_model", "model_id", NO_ID),
    ("fetch_submission_data", "target_id", NO_ID),
    ("transfer_coin", "signer", ["a key", None, 5]),
    ("transfer_coin", "recipient", NO_ID),
    ("transfer_coin", "amount", NO_AMOUNT),
    ("pay_coins", "recipients", [["x"], [], "0x", 5, [None]]),
    ("pay_coins", "amounts", [[float("nan")], [-1], [], 5, [1.0, 2.0]]),
    ("transfer_objects", "object_ids", [[], ["x"], 5, [None]]),
    ("add_stake", "validator", NO_ID),
    ("add_stake", "amount", [one for one in NO_AMOUNT if one is not None]),
    ("add_stake_to_model", "model_id", NO_ID),
    ("withdraw_stake", "staked_soma_id", NO_ID),
    ("create_model", "commission_rate", [-1, 10_001, 1 << 80, 0.5, None]),
    ("create_model", "stake_amount", [-5, "much", float("nan")]),
    ("commit_model", "weights_url", [5, None, "", "no url", "ftp://a/b"]),
    ("commit_model", "decryption_key", [5, None]),
    ("commit_model", "embedding", NO_VECTOR),
    ("commit_model", "encrypted_weights", [b"", b"not sealed", 5, "text", GONE]),
    ("reveal_model", "embedding", NO_VECTOR),
    ("set_model_commission_rate", "new_rate", [-1, 10_001, None]),
    ("submit_data", "target_id", NO_ID),
    ("submit_data", "data", [b"", "text", 5, None, GONE, np.ndarray]),
    ("submit_data", "data_url", [5, None, "", "no url", HALF]),
    ("submit_data", "embedding", NO_VECTOR),
    ("submit_data", "distance_score", NO_NUMBER[:2] + NO_NUMBER[4:]),
    ("submit_data", "loss_score", [-1.0, [-1.0], [], *NO_NUMBER]),
    ("score", "data_url", [5, None]),
    ("score", "models", [5, [], "abc", [5], [None], *NO_WEIGHTS]),
    ("score", "target_embedding", NO_VECTOR),
    ("score", "data_checksum", [5, "no checksum", SomaClient.commitment(b"other")]),
    ("score", "data_size", [-1, "4", 5]),
    ("score", "seed", [-1, 1 << 64, 0.5, "0"]),
    ("set_validator_commission_rate", "new_rate", [-1, 10_001]),
    ("report_validator", "reportee", NO_ID),
]


def arguments_of(function) -> dict[str, object]:
    names = [n for n, p in inspect.signature(function).parameters.items() if n != "self"]
    return {name: RIGHT.get(name, b"\x01" * 33) for name in names}


def needed_by(function) -> dict[str, object]:
    """Right arguments for those that have no default."""
    every = inspect.signature(function).parameters
    return {n: v for n, v in arguments_of(function).items() if every[n].default is every[n].empty}


async def outcome(call) -> Exception | None:
    """What came of a call; everything but a plain error fails the test."""
    try:
        result = call()
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, 60)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        return error
    return None


@pytest.mark.parametrize("method", METHODS)
async def test_odd_arguments_give_errors_and_no_crash(client, method, files):
    function = getattr(client, method)
    right = arguments_of(function)
    if method == "score":
        # What the scorer can have at once: it would try for long otherwise.
        sealed, key = SomaClient.encrypt_weights(random_weights(1))
        manifest = SomaClient.model_manifest(files.put(sealed), sealed, decryption_key=key)
        right |= {"models": [manifest], "data_checksum": None, "data_size": None}
    for name in right:
        for odd in ODD:
            given = {**right, name: odd}
            error = await outcome(lambda given=given: function(**given))
            assert getattr(error, "name", "") != "Internal", f"{name}={odd!r}: {error}"


@pytest.mark.parametrize("method, name, values", NAMED, ids=[f"{m}-{n}" for m, n, _ in NAMED])
async def test_the_error_names_the_argument(client, method, name, values):
    function = getattr(client, method)
    right = needed_by(function)
    if method == "score":
        right["data"] = b"data"
    for value in values:
        given = {**right, name: value}
        error = await outcome(lambda given=given: function(**given))
        assert isinstance(error, (ValueError, TypeError)), f"{value!r}: {error!r}"
        assert name in str(error), f"{value!r}: {error!r}"
        assert len(str(error)) < 500


@pytest.mark.parametrize("method", METHODS)
async def test_arguments_that_are_missing_or_too_many_are_type_errors(client, method):
    function = getattr(client, method)
    right = arguments_of(function)
    for arguments, keywords in (((*right.values(), 1, 2, 3), {}), ((), {"no_such_argument": 1})):
        with pytest.raises(TypeError):
            result = function(*arguments, **keywords)
            if inspect.isawaitable(result):
                await result


@pytest.mark.parametrize("name", [name for name in METHODS if name in dir(soma_sdk)])
def test_helpers_refuse_odd_arguments(name):
    helper = getattr(SomaClient, name)
    for place in range(len(inspect.signature(helper).parameters)):
        for odd in ODD:
            values = [b"data"] * len(inspect.signature(helper).parameters)
            values[place] = odd
            try:
                helper(*values)
            except (ValueError, TypeError, OverflowError, soma_sdk.SomaError) as error:
                assert getattr(error, "name", "") != "Internal", f"{odd!r}: {error}"


def test_noise_of_absurd_size_is_refused_and_not_tried():
    for dim, slices in ((1 << 40, 1 << 20), (1 << 62, 4), (0, 256), (16, 0)):
        with pytest.raises(ValueError, match="dim|slices"):
            soma_sdk.sigreg_noise(0, 0, dim, slices)


def test_odd_arguments_of_a_client_are_refused():
    for name in ("rpc_url", "faucet_url", "scoring_url", "admin_url", "chain"):
        for odd in (5, b"http://a/", HALF, "", "no url", "ftp://a/", "http://", "http://a?b=c", []):
            given = {"rpc_url": URL, name: odd} if name != "chain" else {"chain": odd}
            with pytest.raises(ValueError, match=name if name != "chain" else "chain"):
                SomaClient(**given)
