"""Networks that tests share."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
import soma_sdk

from harness.files import FileServer
from harness.game import Market, open_market
from harness.localnet import Localnet


@pytest.fixture(scope="session")
def localnet():
    """One network for all tests that do not need one of their own."""
    with Localnet() as network:
        yield network


@pytest.fixture(scope="session")
def files():
    """A server of files on this machine, up until all tests are over."""
    server = FileServer()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def client(localnet) -> soma_sdk.SomaClient:
    return await localnet.client()


@pytest.fixture
def rich(localnet) -> soma_sdk.Keypair:
    """An account with a lot of money, for tests that do not look at its balance."""
    return localnet.account(0)


@pytest.fixture
def funded(client, rich):
    """Makes a new account with some money: `await funded(5)`."""

    async def fund(amount: float = 10.0) -> soma_sdk.Keypair:
        keypair = soma_sdk.Keypair.generate()
        await client.transfer_coin(rich, keypair.address(), amount)
        return keypair

    return fund


@pytest.fixture(scope="session")
def market(localnet, files) -> Market:
    """Active models with weights of their own, so that there are targets to fill."""

    async def start() -> Market:
        return await open_market(await localnet.client(), localnet, files)

    return asyncio.run(start())
