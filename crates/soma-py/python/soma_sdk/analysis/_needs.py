"""Packages that only this part of `soma_sdk` needs."""

from __future__ import annotations

import importlib
from typing import Any


def require(package: str) -> Any:
    """The package; an `ImportError` that says how to get it when it is not there."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        message = f"soma_sdk.analysis needs {name} for this: install it with `pip install {name}`"
        raise ImportError(message, name=name) from error
