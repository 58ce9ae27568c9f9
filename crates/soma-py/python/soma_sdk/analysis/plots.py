"""Pictures of the above. Each needs matplotlib and gives its figure."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Union

import numpy as np

from ._needs import require
from .geometry import project
from .opportunity import Opportunity
from .review import EpochReview
from .snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Path = Union[str, "PathLike[str]"]

#: Colours that are told apart by all eyes.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"


def plot_map(snapshot: Snapshot, path: Path | None = None) -> Figure:
    """Models, as large as their stake, and targets on the map of both; saved to `path` if given.

    Raises `ValueError` when there is neither a model nor a target, `ImportError` without
    matplotlib.
    """
    figure, axes = _figure()
    models, targets = snapshot.model_embeddings, snapshot.target_embeddings
    both = project(np.vstack([models, targets]), dimensions=2)
    is_open = np.array([target.status == "open" for target in snapshot.targets], dtype=bool)
    places = both.points[len(models) :]
    for chosen, colour, label in ((is_open, BLUE, "open"), (~is_open, GREY, "not open")):
        x, y = places[chosen].T
        axes.scatter(x, y, s=14, color=colour, alpha=0.6, label=f"targets, {label}: {len(x)}")
    stakes = np.array([model.stake for model in snapshot.models])
    size = 40 + 160 * np.sqrt(stakes / stakes.max()) if len(stakes) else stakes
    x, y = both.points[: len(models)].T
    axes.scatter(x, y, s=size, color=ORANGE, marker="^", label=f"models: {len(x)}")
    for model, place in zip(snapshot.models, both.points):
        axes.annotate(model.id[:8], place, fontsize=7, textcoords="offset points", xytext=(6, 6))
    shown = both.explained
    axes.set_xlabel(f"first component ({shown[0]:.0%} of the spread)")
    axes.set_ylabel(f"second component ({shown[1]:.0%})")
    axes.set_title(f"Models and targets in epoch {snapshot.epoch}")
    axes.legend(fontsize=8, markerscale=0.7, labelspacing=0.8)
    return _finished(figure, path)


def plot_opportunities(found: Sequence[Opportunity], path: Path | None = None) -> Figure:
    """Distance and score of open targets, from `opportunities`; saved to `path` if given."""
    figure, axes = _figure()
    axes.scatter([one.distance for one in found], [one.score for one in found], s=18, color=BLUE)
    axes.set_xlabel("distance of the nearest assigned model")
    axes.set_ylabel("score in SOMA")
    axes.set_title(f"{len(found)} open targets")
    return _finished(figure, path)


def plot_epochs(reviews: Sequence[EpochReview], path: Path | None = None) -> Figure:
    """Targets and hits of several epochs, from `review_epoch`; saved to `path` if given."""
    figure, axes = _figure()
    epochs = [review.epoch for review in reviews]
    axes.bar(epochs, [review.targets for review in reviews], color=GREY, label="targets")
    axes.bar(epochs, [review.hits for review in reviews], color=BLUE, label="hits")
    axes.set_xticks(epochs)
    axes.set_xlabel("epoch")
    axes.set_title("Targets and hits")
    axes.legend(fontsize=8)
    return _finished(figure, path)


def _figure() -> tuple[Figure, Axes]:
    require("matplotlib")
    from matplotlib.figure import Figure

    # Without pyplot: nothing global, no window, any thread.
    figure = Figure(figsize=(8, 6), layout="constrained")
    return figure, figure.subplots()


def _finished(figure: Figure, path: Path | None) -> Figure:
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
