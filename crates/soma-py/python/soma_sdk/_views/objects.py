"""Objects: everything with an id."""

import json
from types import SimpleNamespace

from soma_sdk import _native
from soma_sdk._views.models import registered_model
from soma_sdk._views.shapes import tree
from soma_sdk._views.targets import target
from soma_sdk._views.validators import validator

# Objects have no history here: what is read is always the current version.
OBJECT_VERSION = 1


def object_of(view):
    """An object: the fields of its content, and what all objects have."""
    content = dict(view["content"])
    kind = view["type"]
    if kind == "target":
        fields = vars(target(content))
    elif kind == "model":
        fields = vars(registered_model(content))
    elif kind == "validator":
        fields = vars(validator(content))
    elif kind == "staked_soma":
        fields = vars(tree(content))
        fields["pool_id"] = content["pool"]
        fields["stake_activation_epoch"] = content.get("from")
    else:
        fields = vars(tree(content))
    text = json.dumps(view, sort_keys=True, separators=(",", ":"))
    common = {
        "id": view["id"],
        "version": OBJECT_VERSION,
        "digest": _native.checksum(text.encode()),
        "object_type": kind,
        "owner": view.get("owner"),
    }
    return SimpleNamespace(**{**fields, **common})
