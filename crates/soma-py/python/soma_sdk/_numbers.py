"""Numbers: exact amounts of money, and scores."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

SHANNONS_PER_SOMA = 1_000_000_000

# No amount can be larger: the unsigned 64 bits of the chain.
MAX_SHANNONS = 2**64 - 1


class Score(float):
    """A number of a score, which is also the list of this one number.

    Older documents show `distance` and `loss_score` as lists of one number, others as numbers;
    programs written after either work.
    """

    __slots__ = ()

    def __len__(self):
        return 1

    def __bool__(self):
        # A list of one number is true; a number that is 0.0 would not be, and asking whether there
        # is a score is what programs do.
        return True

    def __getitem__(self, place):
        return [float(self)][place]

    def __iter__(self):
        return iter((float(self),))

    def __contains__(self, number):
        return float(self) == number

    def __eq__(self, other):
        if isinstance(other, (list, tuple)):
            return [float(self)] == list(other)
        return float.__eq__(self, other)

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = float.__hash__


def number(name, value):
    """A finite float from a number, a `Score`, or a list or array of one number."""
    if isinstance(value, (str, bytes, bytearray, memoryview, type)):
        raise ValueError(f"{name}: must be a number, got {type(value).__name__}")
    if not isinstance(value, (int, float)):
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, (list, tuple)):
            if len(value) != 1:
                raise ValueError(f"{name}: must hold one number, got {len(value)}")
            (value,) = value
    if isinstance(value, bool):
        raise ValueError(f"{name}: must be a number, got bool")
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: must be a number, got {_shown(value)}") from None
    if result != result or result in (float("inf"), float("-inf")):
        raise ValueError(f"{name}: must be a finite number, got {result}")
    return result


def shannons(name, amount):
    """The shannons of an amount of SOMA: a float's nearest, of anything else all it says."""
    if hasattr(amount, "item"):
        # Numbers of numpy and torch.
        amount = _item(name, amount)
    if isinstance(amount, bool) or not isinstance(amount, (int, float, Decimal, str)):
        raise ValueError(f"{name}: must be a number of SOMA, got {type(amount).__name__}")
    if isinstance(amount, int) and abs(amount) > MAX_SHANNONS:
        raise ValueError(f"{name}: must be from 0 to 10,000,000 SOMA, the most that can exist")
    if isinstance(amount, str) and len(amount) > 80:
        raise ValueError(
            f"{name}: must be a number of SOMA, got a text of {len(amount)} characters"
        )
    if isinstance(amount, str) and "_" in amount:
        raise ValueError(f"{name}: must be a number of SOMA, got {_shown(amount)}")
    try:
        decimal = Decimal(amount)
    except (InvalidOperation, ValueError):
        raise ValueError(f"{name}: must be a number of SOMA, got {_shown(amount)}") from None
    if not decimal.is_finite():
        raise ValueError(f"{name}: must be a finite number of SOMA, got {decimal}")
    if decimal.is_signed() and decimal != 0:
        raise ValueError(f"{name}: must not be negative, got {_shown(amount)}")
    if isinstance(amount, float):
        # What was computed is seldom a whole number of shannons; fractions round once.
        value = round(Fraction(amount) * SHANNONS_PER_SOMA)
        if value > MAX_SHANNONS:
            raise ValueError(f"{name}: more SOMA than can exist (10,000,000)")
        return value
    # Above this nothing can be paid; and exponents stay small enough to compute with.
    if decimal != 0 and not -30 <= decimal.adjusted() <= 12:
        if decimal.adjusted() > 12:
            raise ValueError(f"{name}: more SOMA than can exist (10,000,000)")
        raise ValueError(f"{name}: precision beyond 1 shannon (max 9 decimal places)")
    sign, digits, exponent = decimal.as_tuple()
    value = int("".join(map(str, digits)) or "0")
    exponent += 9
    if exponent >= 0:
        value *= 10**exponent
    else:
        value, rest = divmod(value, 10**-exponent)
        if rest:
            text = _shown(amount)
            raise ValueError(
                f"{name}: precision beyond 1 shannon (max 9 decimal places), got {text}"
            )
    if value > MAX_SHANNONS:
        raise ValueError(f"{name}: more SOMA than can exist (10,000,000)")
    return value


def positive_shannons(name, amount):
    """The shannons of an amount of SOMA that is to be paid: more than nothing."""
    value = shannons(name, amount)
    if value == 0:
        raise ValueError(f"{name}: must be more than 0")
    return value


def soma(amount):
    """The float nearest to an amount of shannons, in SOMA."""
    # Division of integers rounds once.
    return amount / SHANNONS_PER_SOMA


def _item(name, value):
    try:
        return value.item()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: must be one number of SOMA") from None


def _shown(value):
    """A value as a message shows it: never longer than a line."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever an object's own __repr__ does
        text = type(value).__name__
    text = " ".join(line.strip() for line in text.splitlines())
    return text if len(text) <= 80 else f"{text[:77]}..."
