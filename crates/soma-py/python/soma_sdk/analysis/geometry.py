"""Distances, random directions, and the flat map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .snapshot import Floats


@dataclass(frozen=True)
class Map:
    """Points in few dimensions, and how to bring more onto the same map."""

    #: One row for each vector.
    points: Floats
    #: The share of the vectors' spread that each axis shows, largest first.
    explained: Floats
    #: The axes in the space of embeddings, one a row.
    axes: Floats
    #: What is subtracted before the axes are applied.
    center: Floats

    def place(self, embeddings: npt.ArrayLike) -> Floats:
        """Where further `embeddings`, one a row, lie on this map."""
        rows = np.atleast_2d(np.asarray(embeddings, dtype=np.float64))
        placed: Floats = (rows - self.center) @ self.axes.T
        return placed


def distances(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Cosine distances, 0 to 2, between each row of `a` and each row of `b`.

    Raises `ValueError` when the rows have different lengths, or no direction.
    """
    left, right = (np.atleast_2d(np.asarray(rows, dtype=np.float64)) for rows in (a, b))
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"embeddings of {left.shape[1]} and {right.shape[1]} numbers")
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (left, right)]
    if any(not np.all(np.isfinite(length) & (length > 0)) for length in lengths):
        raise ValueError("an embedding of length zero, or not finite, has no direction")
    cosines: Floats = (left / lengths[0]) @ (right / lengths[1]).T
    return np.clip(1 - cosines, 0, 2)


def project(embeddings: npt.ArrayLike, dimensions: int = 2) -> Map:
    """The map on which `embeddings`, one a row, are spread most: their principal components.

    Raises `ValueError` when there is nothing to map.
    """
    rows = np.atleast_2d(np.asarray(embeddings, dtype=np.float64))
    if rows.size == 0:
        raise ValueError("embeddings: there is nothing to map")
    if not 1 <= dimensions <= rows.shape[1]:
        raise ValueError(f"dimensions: {dimensions} is not from 1 to {rows.shape[1]}")
    center = rows.mean(axis=0)
    _, sizes, axes = np.linalg.svd(rows - center, full_matrices=True)
    variances = np.zeros(len(axes))
    variances[: len(sizes)] = sizes**2
    total = variances.sum()
    explained = variances / total if total > 0 else variances
    axes = axes[:dimensions]
    return Map((rows - center) @ axes.T, explained[:dimensions], axes, center)


def random_directions(count: int, dim: int, seed: int) -> Floats:
    """Directions drawn as the network draws targets: uniform on the sphere. One a row."""
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    directions: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return directions
