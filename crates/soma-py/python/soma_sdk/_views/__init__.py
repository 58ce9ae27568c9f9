"""Answers of the network in the shapes that people know: trees of namespaces."""

from soma_sdk._views.models import active_model, manifest
from soma_sdk._views.objects import OBJECT_VERSION, object_of
from soma_sdk._views.state import epoch, system_state
from soma_sdk._views.targets import target, target_page
from soma_sdk._views.transactions import checkpoint, effects, faucet, no_effects

__all__ = [
    "OBJECT_VERSION",
    "active_model",
    "checkpoint",
    "effects",
    "epoch",
    "faucet",
    "manifest",
    "no_effects",
    "object_of",
    "system_state",
    "target",
    "target_page",
]
