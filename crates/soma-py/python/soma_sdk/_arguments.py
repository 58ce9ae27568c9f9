"""Arguments, checked. What is wrong raises `ValueError` with the argument's name."""

import operator
import os
import re
from typing import Any

from soma_sdk import _native
from soma_sdk._numbers import _shown


def text(name, value):
    """A text."""
    if not isinstance(value, str):
        raise ValueError(f"{name}: must be a text, got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: has half a surrogate pair, got {_shown(value)}") from None
    return value


def url(name, value):
    """An address of the web."""
    value = text(name, value)
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"{name}: must begin with http:// or https://, got {_shown(value)}")
    return value


_ID = re.compile(r"(0[xX])?[0-9a-fA-F]{64}")


def object_id(name, value):
    """An id or address: a text, or an object that has an `id`."""
    if not isinstance(value, str) and isinstance(getattr(value, "id", None), str):
        value = value.id
    value = text(name, value).strip()
    if not _ID.fullmatch(value):
        raise ValueError(f"{name}: must be 64 hex digits, with or without 0x, got {_shown(value)}")
    return value


def address(name, value):
    """An address: a text, or a `Keypair`."""
    if isinstance(value, _native.Keypair):
        return value.address()
    return object_id(name, value)


def keypair(name, value):
    """A `Keypair`."""
    if not isinstance(value, _native.Keypair):
        raise ValueError(f"{name}: must be a Keypair, got {type(value).__name__}")
    return value


def whole(name: str, value: Any, maximum: int = 2**64 - 1) -> int:
    """A whole number from 0 on."""
    try:
        index = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # noqa: BLE001 - whatever an object's own __index__ does
        index = None
    if index is None:
        raise ValueError(f"{name}: must be a whole number, got {_shown(value)}")
    value = index
    if not 0 <= value <= maximum:
        shown = value if abs(value) < 10**40 else "a number of more than 40 digits"
        raise ValueError(f"{name}: must be from 0 to {maximum}, got {shown}")
    return value


def basis_points(name, value):
    """A rate in basis points."""
    return whole(name, value, 10_000)


def flag(name, value):
    """True or False, and nothing that only counts as one of them."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}: must be True or False, got {_shown(value)}")
    return value


def data(name, value):
    """Bytes. `bytes` are used where they are; anything else that holds bytes is copied."""
    if isinstance(value, bytes):
        return value
    try:
        if isinstance(value, (bytearray, memoryview)):
            return bytes(value)
        # Arrays of numpy; not numbers, of which bytes() would make as many zeros.
        if not isinstance(value, (int, str, type)) and hasattr(value, "tobytes"):
            return value.tobytes()
    except (TypeError, ValueError, BufferError) as error:
        # Such as a memoryview that was released.
        raise ValueError(f"{name}: cannot be read: {error}") from None
    raise ValueError(f"{name}: must be bytes, got {type(value).__name__}")


def view(name, value):
    """As `data`, to be read only: what lies in one piece is not copied."""
    try:
        return memoryview(value).cast("B")
    except (TypeError, ValueError, BufferError):
        # `data` knows other ways, and says what is wrong.
        return memoryview(data(name, value))


def some_data(name, value):
    """Bytes, at least one."""
    value = data(name, value)
    if not value:
        raise ValueError(f"{name}: must not be empty")
    return value


def data_or_path(name, value):
    """Bytes, or the path of a file; a plain text is neither."""
    return path(name, value) if isinstance(value, os.PathLike) else data(name, value)


def path(name, value):
    """A path in the file system."""
    try:
        value = os.fspath(value)
        os.fsencode(value)
    except TypeError:
        raise ValueError(f"{name}: must be a path, got {type(value).__name__}") from None
    except UnicodeEncodeError:
        raise ValueError(f"{name}: no file can have this name: {_shown(value)}") from None
    return os.fsdecode(value)


def key(name, value):
    """A key of sealed weights, in Base58 or 32 bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = data(name, value)
        if len(value) != 32:
            raise ValueError(f"{name}: key must be exactly 32 bytes, got {len(value)}")
        return base58(value)
    value = text(name, value)
    try:
        return _native.parse_key(name, value)
    except ValueError as error:
        raise ValueError(f"Invalid base58 key: {error}") from None


def checksum(name, value):
    """A checksum, in Base58 or 32 bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = base58(data(name, value))
    return _native.parse_checksum(name, text(name, value))


def agree(name, value, other, found):
    """Checks that what is given beside another argument is true of it."""
    if value is not None and value != found:
        raise ValueError(f"{name}: is {value}, but that of {other} is {found}")


_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(value):
    """Bytes in Base58."""
    left, digits = int.from_bytes(value, "big"), ""
    while left:
        left, digit = divmod(left, 58)
        digits = _ALPHABET[digit] + digits
    zeros = len(value) - len(value.lstrip(b"\0"))
    return "1" * zeros + digits


def embedding(name, value):
    """A list of finite floats from a list, an array of numpy or a tensor of torch or JAX."""
    if isinstance(value, (str, bytes, bytearray, dict, type)):
        raise ValueError(f"{name}: must be a list of numbers, got {type(value).__name__}")
    try:
        if hasattr(value, "detach"):
            value = value.detach()
        if not isinstance(value, (list, tuple)) and hasattr(value, "tolist"):
            value = value.tolist()
        elif not isinstance(value, (list, tuple)) and hasattr(value, "__array__"):
            value = value.__array__().tolist()
        # One row of a batch.
        is_list = isinstance(value, (list, tuple))
        if is_list and len(value) == 1 and isinstance(value[0], (list, tuple)):
            (value,) = value
        numbers = [_float(one) for one in value]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise ValueError(f"{name}: must be a list of numbers, got {_shown(value)}") from None
    if not numbers:
        raise ValueError(f"{name}: must not be empty")
    for place, one in enumerate(numbers):
        # Beyond 32-bit floats counts as infinite, too.
        if one != one or abs(one) > 3.4028234e38:
            raise ValueError(f"{name}: number {place} is {one}; all must be finite")
    return numbers


def _float(value):
    if isinstance(value, (bool, str, bytes, bytearray)):
        raise TypeError
    return float(value)


def items(name, value):
    """A list, from any iterable but texts and bytes."""
    if isinstance(value, (str, bytes, bytearray, dict)):
        raise ValueError(f"{name}: must be a list, got {type(value).__name__}")
    try:
        return list(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: must be a list, got {type(value).__name__}") from None


_PEER = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/[^/\s]+/(tcp|udp)/([0-9]{1,5})(/\S*)?")


def peer_address(name, value):
    """Where validators connect: a multiaddress, or one in BCS encoding."""
    value = encoded_text(name, value)
    found = _PEER.fullmatch(value)
    if not found or not 0 < int(found[3]) < 65_536:
        raise ValueError(
            f"{name}: must be a multiaddress such as /ip4/203.0.113.7/tcp/8084, got {_shown(value)}"
        )
    return value


def encoded_text(name, value):
    """A text as it is, or from its canonical encoding: its length, then UTF-8."""
    if isinstance(value, str):
        return text(name, value)
    value = data(name, value)
    length, shift, place = 0, 0, 0
    for place, byte in enumerate(value[:5], start=1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    try:
        if not value or length != len(value) - place:
            raise ValueError
        return value[place:].decode()
    except ValueError:
        raise ValueError(f"{name}: must be a text, or one in BCS encoding") from None
