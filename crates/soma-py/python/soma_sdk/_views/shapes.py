"""What answers are made of."""

import struct
from types import SimpleNamespace


class Records(dict):
    """Values by id: `records[id]`, `.items()`, and, as in a namespace, `vars(records)`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Status(str):
    """`Success` or `Failure`; upper and lower case do not matter when compared."""

    __slots__ = ()

    def __eq__(self, other):
        return isinstance(other, str) and self.lower() == other.lower()

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.lower())


class Threshold(float):
    """A distance, which is also a tensor of one 32-bit float: `dtype`, `bytes`, `shape`."""

    __slots__ = ()

    dtype = "F32"
    shape = [1]

    @property
    def bytes(self):
        return list(struct.pack("<f", self))


def tree(value):
    """Namespaces for dicts with names, all the way down."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: tree(item) for name, item in value.items()})
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return [tree(item) for item in value]
    return value
