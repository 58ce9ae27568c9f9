"""Weights of the smallest model, by numpy alone."""

from __future__ import annotations

import json
import struct

import numpy as np

DIM, HIDDEN, LAYERS, VOCABULARY = 16, 32, 2, 264


def shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor."""
    found: dict[str, tuple[int, ...]] = {"embedding.weight": (VOCABULARY, DIM)}
    for layer in range(LAYERS):
        place = f"encoder.layers.{layer}"
        for norm in ("norm_1", "norm_2"):
            found |= {f"{place}.{norm}.gamma": (DIM,), f"{place}.{norm}.beta": (DIM,)}
        for linear in ("query", "key", "value", "output"):
            name = f"{place}.attention.{linear}"
            found |= {f"{name}.weight": (DIM, DIM), f"{name}.bias": (DIM,)}
        for name, size in (("inner", (DIM, HIDDEN)), ("outer", (HIDDEN, DIM))):
            name = f"{place}.pwff.linear_{name}"
            found |= {f"{name}.weight": size, f"{name}.bias": size[1:]}
    found |= {"final_norm.gamma": (DIM,), "final_norm.beta": (DIM,)}
    return found | {"predictor.weight": (DIM, VOCABULARY), "predictor.bias": (VOCABULARY,)}


def random_weights(seed: int, direction: np.ndarray | None = None) -> bytes:
    """A safetensors file. What the model says of any data leans toward `direction`."""
    noise = np.random.default_rng(seed)
    tensors = {name: 0.2 * noise.standard_normal(shape) for name, shape in shapes().items()}
    for name in tensors:
        if name.endswith("gamma"):
            tensors[name] = np.ones(DIM)
    if direction is not None:
        tensors["final_norm.beta"] = np.asarray(direction)
    return safetensors({name: array.astype("<f4") for name, array in tensors.items()})


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """The file: length of the header, header, tensors one after the other."""
    header, body = {}, b""
    for name in sorted(tensors):
        array = tensors[name]
        content = array.tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(content)],
        }
        body += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body
