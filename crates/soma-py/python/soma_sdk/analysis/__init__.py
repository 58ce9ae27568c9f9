"""Looks at the network as a whole: where models and targets lie, where nobody is, what pays.

Needs numpy; plots need matplotlib. Nothing here sends a transaction::

    from soma_sdk import analysis

    snapshot = await analysis.take_snapshot(client)
    for gap in analysis.find_gaps(snapshot, count=5):
        print(gap.distance, gap.nearest_model)
    analysis.plot_map(snapshot, "map.png")

Reading order: `snapshot`, `geometry`, `gaps`, `opportunity`, `review`, `plots`.
"""

from ._needs import require

require("numpy")

from .gaps import Coverage, Gap, coverage, find_gaps  # noqa: E402
from .geometry import Map, distances, project  # noqa: E402
from .opportunity import Opportunity, opportunities  # noqa: E402
from .plots import plot_epochs, plot_map, plot_opportunities  # noqa: E402
from .review import EpochReview, Standing, review_epoch  # noqa: E402
from .snapshot import Model, Snapshot, Target, take_snapshot  # noqa: E402

__all__ = [
    "Coverage",
    "EpochReview",
    "Gap",
    "Map",
    "Model",
    "Opportunity",
    "Snapshot",
    "Standing",
    "Target",
    "coverage",
    "distances",
    "find_gaps",
    "opportunities",
    "plot_epochs",
    "plot_map",
    "plot_opportunities",
    "project",
    "review_epoch",
    "take_snapshot",
]
