"""Parts of the game that many tests play: models that become active, data that hits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soma_sdk

from .files import FileServer
from .localnet import LIMIT, Localnet
from .weights import DIM, random_weights

#: Models of a market: as many as a target is assigned to, and one more.
MODELS = 4


@dataclass
class Weights:
    """Weights that were made, sealed and put somewhere."""

    plain: bytes
    sealed: bytes
    key: str
    url: str
    embedding: list[float]


@dataclass
class Market:
    """Models that are active, and who owns them."""

    owners: list[soma_sdk.Keypair]
    models: list[str]
    weights: list[Weights]


@dataclass
class Hit:
    """Data that hits a target, with all that a submission needs."""

    target: Any
    model_id: str
    data: bytes
    url: str
    score: Any
    tried: int = field(compare=False, default=0)

    def arguments(self) -> dict[str, Any]:
        """What `submit_data` takes after its signer."""
        return {
            "target_id": self.target.id,
            "data": self.data,
            "data_url": self.url,
            "model_id": self.model_id,
            "embedding": self.score.embedding,
            "distance_score": self.score.distance,
            "loss_score": self.score.loss_score,
        }


def make_weights(seed: int, files: FileServer) -> Weights:
    """Random weights that lean in a direction of their own."""
    direction = np.random.default_rng(1_000 + seed).standard_normal(DIM)
    plain = random_weights(seed, direction)
    sealed, key = soma_sdk.SomaClient.encrypt_weights(plain)
    return Weights(plain, sealed, key, files.put(sealed), direction.tolist())


async def publish(client: Any, owners: list[Any], weights: list[Weights]) -> list[str]:
    """Creates, commits, waits for the next epoch, reveals; the ids of the active models."""
    models = []
    for owner, one in zip(owners, weights):
        model = await client.create_model(owner, commission_rate=1000, stake_amount=2.0)
        await client.commit_model(owner, model, one.url, one.sealed, one.key, one.embedding)
        models.append(model)
    await client.advance_epoch()
    for owner, model, one in zip(owners, models, weights):
        await client.reveal_model(owner, model, one.key, one.embedding)
    return models


async def open_market(client: Any, localnet: Localnet, files: FileServer) -> Market:
    """Publishes a few models on a network that has none."""
    owners = [soma_sdk.Keypair.generate() for _ in range(MODELS)]
    addresses = [owner.address() for owner in owners]
    await client.pay_coins(localnet.account(1), addresses, [1_000.0] * MODELS)
    weights = [make_weights(seed, files) for seed in range(MODELS)]
    models = await publish(client, owners, weights)
    # In an epoch of which all of them are part from the start, every target has three.
    await client.advance_epoch()
    await targets_of(client)
    return Market(owners, models, weights)


async def targets_of(client: Any, **filters: Any) -> list[Any]:
    """Targets, as soon as there is one."""
    deadline = time.monotonic() + LIMIT
    while True:
        found = await client.get_targets(**filters)
        if found:
            return found
        assert time.monotonic() < deadline, f"no target with {filters} within {LIMIT} s"
        await asyncio.sleep(0.1)


async def find_hit(client: Any, files: FileServer, seed: int, skip: set[str] = frozenset()) -> Hit:
    """Data within the threshold of an open target, as the scorer measures it."""
    noise = np.random.default_rng(seed)
    for tried in range(1, 500):
        targets = [t for t in await targets_of(client) if t.id not in skip]
        target = targets[int(noise.integers(len(targets)))]
        manifests = await client.get_model_manifests(target)
        data = noise.bytes(600 + int(noise.integers(1500)))
        url = files.put(data)
        score = await client.score(
            data_url=url, models=manifests, target_embedding=target.embedding, data=data
        )
        if score.distance[0] <= target.distance_threshold:
            return Hit(target, target.model_ids[score.winner], data, url, score, tried)
    raise AssertionError("nothing hits: the threshold of a new network is wide")
