"""Which open target is worth looking for data for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .geometry import distances
from .snapshot import Snapshot


@dataclass(frozen=True)
class Opportunity:
    """An open target, judged by how near its models are."""

    target: str
    #: What filling it earns the submitter, in SOMA.
    reward: float
    #: Distance of the nearest assigned model to the target.
    distance: float
    #: How far inside the threshold that model is; negative when it is outside.
    margin: float
    #: The assigned model that is nearest to the target.
    model: str
    #: The chance that a piece of data hits, as far as places alone can tell: 0 to 1.
    chance: float
    #: `reward` times `chance`: higher is better.
    score: float


def opportunities(snapshot: Snapshot, spread: float | None = None) -> list[Opportunity]:
    """All open targets whose models are known, best first.

    What a model says of data lies around the model's own embedding. `spread` is how far, as the
    standard deviation of distances; unless you have measured it, that of random directions,
    1 / √dim, is taken. A target's chance is that of a normal distribution around the model's
    distance being within the threshold. It ranks targets; it does not promise a hit.

    Raises `ValueError` when `spread` is not positive.
    """
    if spread is not None and not spread > 0:
        raise ValueError(f"spread: {spread} is not a positive number")
    models = {model.id: model for model in snapshot.models}
    found = []
    for target in snapshot.open_targets:
        assigned = [models[id] for id in target.models if id in models]
        if not assigned:
            continue
        far = distances(target.embedding, [model.embedding for model in assigned])[0]
        nearest = int(far.argmin())
        margin = target.threshold - float(far[nearest])
        chance = _below(margin / (spread or 1 / math.sqrt(snapshot.dim)))
        reward = snapshot.submitter_share * target.reward
        found.append(
            Opportunity(
                target=target.id,
                reward=reward,
                distance=float(far[nearest]),
                margin=margin,
                model=assigned[nearest].id,
                chance=chance,
                score=reward * chance,
            )
        )
    return sorted(found, key=lambda one: -one.score)


def _below(deviations: float) -> float:
    """The part of a normal distribution below this many standard deviations."""
    return 0.5 * math.erfc(-deviations / math.sqrt(2))
