"""What the network is like at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from soma_sdk._calls.targets import TARGET_STATUSES

if TYPE_CHECKING:
    from soma_sdk import SomaClient

#: 64-bit floats.
Floats = npt.NDArray[np.float64]

#: Every status that a target that is kept can have.
STATUSES = TARGET_STATUSES
#: Shannons of one SOMA.
SHANNONS = 1_000_000_000


@dataclass(frozen=True)
class Model:
    """An active model."""

    id: str
    owner: str
    #: In SOMA.
    stake: float
    #: Where it stands, of length one.
    embedding: Floats = field(repr=False)


@dataclass(frozen=True)
class Target:
    """A target, open or not."""

    id: str
    #: One of `STATUSES`.
    status: str
    #: The epoch in which it was drawn.
    epoch: int
    #: Data must lie at most this far from it: 1 − cosine.
    threshold: float
    #: What a fill earns, all parties together, in SOMA.
    reward: float
    #: The assigned models, nearest first.
    models: tuple[str, ...]
    #: Its direction, of length one.
    embedding: Floats = field(repr=False)
    #: Who filled it.
    submitter: str | None = None
    #: The model with the lowest loss on that data.
    winner: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """Models and targets of a network at one moment."""

    epoch: int
    models: Sequence[Model]
    targets: Sequence[Target]
    #: The submitter's part of a target's reward, 0 to 1.
    submitter_share: float = 0.5

    @property
    def open_targets(self) -> list[Target]:
        """Targets that can be filled now."""
        return [target for target in self.targets if target.status == "open"]

    @property
    def model_embeddings(self) -> Floats:
        """One row for each model."""
        return _rows([model.embedding for model in self.models], self.dim)

    @property
    def target_embeddings(self) -> Floats:
        """One row for each target."""
        return _rows([target.embedding for target in self.targets], self.dim)

    @property
    def dim(self) -> int:
        """Numbers of an embedding; 0 when there is neither a model nor a target."""
        rows = [one.embedding for one in self.models] + [one.embedding for one in self.targets]
        return len(rows[0]) if rows else 0

    def model(self, id: str) -> Model:
        """The model with this id.

        Raises `KeyError` when it is not active.
        """
        for model in self.models:
            if model.id == id:
                return model
        raise KeyError(f"no active model {id} in epoch {self.epoch}")


async def take_snapshot(client: SomaClient, statuses: Sequence[str] = STATUSES) -> Snapshot:
    """Reads all active models, and all targets with one of these `statuses`.

    Raises `ValueError` for an unknown status, and what the client raises.
    """
    for status in statuses:
        if status not in STATUSES:
            raise ValueError(f"statuses: {status!r} is none of {', '.join(STATUSES)}")
    state = await client.get_latest_system_state()
    models = [_model(view) for view in await client.get_active_models()]
    found: dict[str, Target] = {}
    for status in statuses:
        for view in await client.get_targets(status=status):
            # A target that changed its status meanwhile is taken as it was seen last.
            found[view.id] = _target(view)
    share = state.parameters.target_submitter_reward_share_bps / 10_000
    return Snapshot(state.epoch, models, list(found.values()), share)


def _model(view: Any) -> Model:
    return Model(
        id=view.model_id,
        owner=view.owner,
        stake=float(view.stake),
        embedding=unit(view.embedding),
    )


def _target(view: Any) -> Target:
    return Target(
        id=view.id,
        status=view.status,
        epoch=view.generation_epoch,
        threshold=float(view.distance_threshold),
        reward=view.reward_pool / SHANNONS,
        models=tuple(view.model_ids),
        embedding=unit(view.embedding),
        submitter=view.submitter,
        winner=view.winning_model_id,
    )


def unit(embedding: npt.ArrayLike, name: str = "embedding") -> Floats:
    """`embedding` at length one.

    Raises `ValueError`, which speaks of `name`, when it has no direction.
    """
    vector = np.asarray(embedding, dtype=np.float64).reshape(-1)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"{name}: a vector of length {length} has no direction")
    return vector / length


def _rows(vectors: Sequence[Floats], dim: int) -> Floats:
    return np.stack(vectors) if vectors else np.empty((0, dim))
