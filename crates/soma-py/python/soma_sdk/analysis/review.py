"""How an epoch went: what was hit, what it pays, who won."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from soma_sdk import _arguments as arguments

from .snapshot import Snapshot, Target

#: Statuses of a target that was filled, and neither found to be a fraud nor void.
HITS = ("filled", "claimable", "claimed")


@dataclass(frozen=True)
class Standing:
    """One submitter or one model in an epoch."""

    #: Address of the submitter, or id of the model.
    who: str
    #: Targets filled, or won.
    hits: int
    #: Half of the rewards of these targets, in SOMA: what they pay this side once claimed.
    reward: float


@dataclass(frozen=True)
class EpochReview:
    """How an epoch went."""

    epoch: int
    #: Targets drawn in it that are kept.
    targets: int
    #: How many of them were filled; frauds and void submissions do not count.
    hits: int
    #: Their rewards, all parties together, in SOMA.
    reward: float
    #: Targets of the epoch by status.
    by_status: dict[str, int]
    #: Submitters, the one with the highest reward first.
    submitters: Sequence[Standing]
    #: Models, the one with the highest reward first.
    models: Sequence[Standing]

    @property
    def hit_rate(self) -> float:
        """The part of the targets that was hit, 0 to 1."""
        return self.hits / self.targets if self.targets else 0.0


def review_epoch(snapshot: Snapshot, epoch: int | None = None) -> EpochReview:
    """Reviews an epoch, by default the current one, from the targets in `snapshot`.

    A node keeps ended targets for 14 epochs; of an earlier one nothing is left. Fees, bonds and
    the small part of a claimer who is neither submitter nor owner are not counted.
    """
    epoch = snapshot.epoch if epoch is None else arguments.whole("epoch", epoch)
    if epoch > snapshot.epoch:
        raise ValueError(f"epoch: {epoch} has not begun, this is {snapshot.epoch}")
    targets = [target for target in snapshot.targets if target.epoch == epoch]
    hits = [target for target in targets if target.status in HITS]
    by_status: dict[str, int] = defaultdict(int)
    for target in targets:
        by_status[target.status] += 1
    return EpochReview(
        epoch=epoch,
        targets=len(targets),
        hits=len(hits),
        reward=sum(target.reward for target in hits),
        by_status=dict(by_status),
        submitters=_standings(hits, "submitter"),
        models=_standings(hits, "winner"),
    )


def _standings(hits: Sequence[Target], side: str) -> list[Standing]:
    rewards: dict[str, list[float]] = defaultdict(list)
    for target in hits:
        rewards[getattr(target, side)].append(target.reward / 2)
    found = [Standing(who, len(parts), sum(parts)) for who, parts in rewards.items()]
    return sorted(found, key=lambda one: (-one.reward, one.who))
