"""Scripts as people have them: written for the published package, run as they are."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soma_sdk
from harness.game import find_hit, open_market
from harness.localnet import Localnet, usual_ports_are_free
from harness.s3 import S3Store
from harness.weights import random_weights

SCRIPTS = Path(__file__).parent / "scripts"
#: The longest that a script may take, in seconds.
LIMIT = 300


@pytest.fixture(scope="module")
def network():
    """A network on the usual ports, which `chain="localnet"` stands for, where they are free."""
    with Localnet(usual_ports=usual_ports_are_free()) as network:
        yield network


@pytest.fixture(scope="module")
def busy(network, files):
    """The same network with active models."""

    async def start():
        return await open_market(await network.client(), network, files)

    asyncio.run(start())
    return network


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = S3Store(tmp_path_factory.mktemp("s3"))
    yield store
    store.stop()


def run(network, name: str, *arguments, **environment: str) -> str:
    """Output of a script; fails when it does."""
    line = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    known = {} if network.usual_ports else network.environment
    variables = {**os.environ, **known, "SOMA_SECRET_KEY": network.environment["SOMA_SECRET_KEY"]}
    done = subprocess.run(
        line, env={**variables, **environment}, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, f"{name} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_get_info(busy):
    output = run(busy, "get_info")
    assert "Chain: localnet" in output and "Embedding dim: 16" in output
    assert "Model min stake: 1.0 SOMA" in output
    assert re.search(r"Open targets: [1-9]", output)


def test_faucet(network):
    output = run(network, "faucet")
    assert "Balance: 2.0000 SOMA" in output and "  2.0 SOMA (0x" in output


def test_transfers(network):
    output = run(network, "transfers")
    assert "alice: 3.5" in output and "carol: 2.0" in output and "alice has 1 coin(s)" in output
    assert "bob: 4.7" in output
    assert re.search(
        r"As expected: Transaction failed: .*Failure \{ error: InsufficientCoinBalance", output
    )


def test_staking(network):
    output = run(network, "staking")
    assert "Positions: 1" in output and re.search(r"Balance: (99\.9|100\.)", output)


def test_score_with_a_store(network, store, tmp_path):
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"{seed}.safetensors")
        paths[-1].write_bytes(random_weights(seed))
    output = run(network, "score_s3", *paths, **store.environment)
    assert re.search(r"Winner: [01]\n", output) and "Embedding: 16" in output
    assert "Same: True" in output


def test_full_round(tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(random_weights(5))
    with Localnet() as network:
        output = run(network, "full_round", weights)
    earned = re.search(r"Earned (\S+) SOMA", output)
    assert earned and float(earned[1]) > 1, output


def test_claim_all(busy, files):
    submitter = soma_sdk.Keypair.generate()

    async def fill():
        client = await busy.client()
        await client.transfer_coin(busy.account(0), submitter.address(), 20.0)
        done = set()
        for seed in (1, 2):
            hit = await find_hit(client, files, seed, done)
            done.add(hit.target.id)
            await client.submit_data(submitter, **hit.arguments())
        for _ in range(2):
            await client.advance_epoch()

    asyncio.run(fill())
    output = run(busy, "claim_all", SOMA_SECRET_KEY=submitter.to_secret_key())
    assert "Claimable: 2" in output and "Claimed: 2" in output
    assert float(re.search(r"Gain: (\S+) SOMA", output)[1]) > 1
    output = run(busy, "claim_all", SOMA_SECRET_KEY=submitter.to_secret_key())
    assert "Claimable: 0" in output


def test_submitter(busy, store):
    submitter = soma_sdk.Keypair.generate()

    async def fund():
        client = await busy.client()
        await client.transfer_coin(busy.account(0), submitter.address(), 20.0)

    asyncio.run(fund())
    output = run(
        busy,
        "submitter",
        **store.environment,
        SOMA_SECRET_KEY=submitter.to_encoded(),
        SOMA_RPC_URL=busy.urls["rpc_url"],
        SCORING_URL=busy.urls["scoring_url"],
    )
    assert "Done: 3 hits" in output


@pytest.mark.flax
def test_train_flax(tmp_path):
    with Localnet() as network:
        output = run(network, "train_flax", tmp_path)
    losses = [float(loss) for loss in re.findall(r"step \d+: loss (\S+)", output)]
    assert len(losses) == 4 and losses[-1] < losses[0]
    assert "Committed 0x" in output and "Revealed" in output
    scored = float(re.search(r"\nLoss (\S+),", output)[1])
    assert 2 < scored < losses[0] + 1
