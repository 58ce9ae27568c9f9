"""Where no model is: what a new one could be trained for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from soma_sdk import _arguments as arguments

from .geometry import distances, random_directions
from .snapshot import Floats, Snapshot, unit

#: Models that the network assigns to a target.
ASSIGNED = 3


@dataclass(frozen=True)
class Gap:
    """A direction, and how far the nearest model is from it."""

    #: Cosine distance to the nearest model.
    distance: float
    #: That model.
    nearest_model: str
    #: The target that lies there; none for a direction drawn at random.
    target: str | None
    #: The direction, of length one.
    embedding: Floats = field(repr=False)


@dataclass(frozen=True)
class Coverage:
    """How much of the space of embeddings a model is assigned to."""

    #: The model; none for one that is not there yet.
    model: str | None
    #: Its share of all directions in which it is among the assigned models, 0 to 1.
    share: float
    #: The part of a target's reward for models that it can expect, 0 to 1: its share divided
    #: among those assigned beside it, as if each won as often.
    expected: float


def find_gaps(snapshot: Snapshot, count: int = 10, samples: int = 4096, seed: int = 0) -> list[Gap]:
    """The emptiest places among open targets and `samples` random directions, emptiest first.

    A gap is filled by training on data that lies there: the embedding of a model is the mean of
    what it says of its data.

    Raises `ValueError` when there is no model.
    """
    if not snapshot.models:
        raise ValueError("snapshot: there is no active model, so everything is a gap")
    count, samples = arguments.whole("count", count), arguments.whole("samples", samples)
    targets = snapshot.open_targets
    rows = [target.embedding for target in targets]
    places = np.vstack([*rows, random_directions(samples, snapshot.dim, seed)])
    far = distances(places, snapshot.model_embeddings)
    nearest = far.argmin(axis=1)
    lone = far[np.arange(len(places)), nearest]
    return [
        Gap(
            distance=float(lone[place]),
            nearest_model=snapshot.models[nearest[place]].id,
            target=targets[place].id if place < len(targets) else None,
            embedding=places[place],
        )
        for place in np.argsort(-lone, kind="stable")[:count]
    ]


def coverage(
    snapshot: Snapshot,
    newcomer: npt.ArrayLike | None = None,
    newcomer_stake: float = 1.0,
    samples: int = 4096,
    seed: int = 0,
) -> list[Coverage]:
    """How often each model would be assigned to a target drawn at random, most often first.

    The network assigns the models with the smallest distance / √stake. With `newcomer`, an
    embedding, the list also tells how a model there with `newcomer_stake` SOMA would do: compare
    places and stakes before you pay for either.

    Raises `ValueError` when there is no model, or the stake is not positive.
    """
    ids: list[str | None] = [model.id for model in snapshot.models]
    stakes = [model.stake for model in snapshot.models]
    rows = [model.embedding for model in snapshot.models]
    if newcomer is not None:
        if not newcomer_stake > 0:
            raise ValueError(f"newcomer_stake: {newcomer_stake} is not a positive amount")
        ids.append(None)
        stakes.append(newcomer_stake)
        newcomer = unit(newcomer, "newcomer")
        if len(newcomer) != snapshot.dim:
            raise ValueError(
                f"newcomer: has {len(newcomer)} numbers, this network's have {snapshot.dim}"
            )
        rows.append(newcomer)
    if not rows:
        raise ValueError("snapshot: there is no active model")
    drawn = random_directions(samples, len(rows[0]), seed)
    reach = distances(drawn, np.stack(rows)) / np.sqrt(np.asarray(stakes))
    order = np.argsort(reach, axis=1, kind="stable")[:, :ASSIGNED]
    share = np.bincount(order.reshape(-1), minlength=len(rows)) / samples
    found = [Coverage(id, float(s), float(s) / order.shape[1]) for id, s in zip(ids, share)]
    return sorted(found, key=lambda one: -one.share)
