"""Read JSON from an untrusted file: types are exact, and nothing that was not asked for is left over."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from bids_deepseg.errors import NetworkError

#: Characters of a description; those of the published networks have 30 000.
MAX_CHARACTERS = 2**20

#: What matters for training only, or repeats the name.
_UNIMPORTANT = frozenset(
    {
        "name",
        "trainable",
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
        "bias_initializer",
        "bias_regularizer",
        "bias_constraint",
        "activity_regularizer",
        "beta_initializer",
        "beta_regularizer",
        "beta_constraint",
        "gamma_initializer",
        "gamma_regularizer",
        "gamma_constraint",
        "moving_mean_initializer",
        "moving_variance_initializer",
        "momentum",
    }
)

#: What later versions of Keras 2 add, with the value that changes nothing.
_NEUTRAL = (
    ("dtype", "float32"),
    ("groups", 1),
    ("output_padding", None),
    ("interpolation", "nearest"),
    ("dilation_rate", [1, 1]),
)


def parse_json(text: str) -> Any:
    """Parse JSON of bounded size and depth, without duplicate names and numbers that are none.

    Raises
    ------
    NetworkError
        If it is too long, nested too deeply, or no JSON.
    """
    if len(text) > MAX_CHARACTERS:
        raise NetworkError(f"The description has {len(text)} characters, at most {MAX_CHARACTERS} are expected.")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError as error:
        raise NetworkError("The description of the layers is nested too deeply.") from error
    except ValueError as error:
        raise NetworkError(f"The description of the layers is no JSON: {str(error)[:200]}.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary, and refuse a name that comes twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(word: str) -> NoReturn:
    """Refuse NaN and infinities."""
    raise ValueError(f"{word} is not a number")


def expect_mapping(value: Any, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object."""
    if not isinstance(value, dict):
        raise NetworkError(f"{what} is {_short(value)}; an object is expected.")
    return value


def expect_list(value: Any, what: str, length: int | None = None) -> list[Any]:
    """Return ``value`` if it is a JSON array, of the given length if there is one."""
    if not isinstance(value, list) or length not in {None, len(value)}:
        raise NetworkError(f"{what} is {_short(value)}; a list{f' of {length}' if length else ''} is expected.")
    return value


def expect_text(value: Any, what: str) -> str:
    """Return ``value`` if it is a string."""
    if not isinstance(value, str):
        raise NetworkError(f"{what} is {_short(value)}; a text is expected.")
    return value


def _expect_whole(value: Any, what: str) -> int:
    """Return ``value`` if it is a whole number; true and false are none."""
    if type(value) is not int:
        raise NetworkError(f"{what} is {_short(value)}; a whole number is expected.")
    return value


def _short(value: Any) -> str:
    """Write a value so that it fits on a line."""
    return repr(value)[:80]


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of one layer; every value is taken once, and :meth:`finish` refuses what is left.

    Attributes
    ----------
    owner : str
        Name of the layer, for messages.
    rest : dict
        What was not taken yet.
    """

    owner: str
    rest: dict[str, Any]

    def take(self, key: str) -> Any:
        """Take a value that must be there."""
        if key not in self.rest:
            raise NetworkError(f"Layer {self.owner}: {key} is missing.")
        return self.rest.pop(key)

    def whole(self, key: str) -> int:
        """Take a whole number."""
        return _expect_whole(self.take(key), f"Layer {self.owner}: {key}")

    def wholes(self, key: str) -> tuple[int, ...]:
        """Take a list of whole numbers."""
        what = f"Layer {self.owner}: {key}"
        return tuple(_expect_whole(value, what) for value in expect_list(self.take(key), what))

    def text(self, key: str) -> str:
        """Take a text."""
        return expect_text(self.take(key), f"Layer {self.owner}: {key}")

    def fraction(self, key: str) -> float:
        """Take a number with a fraction."""
        value = self.take(key)
        if type(value) is not float:
            raise NetworkError(f"Layer {self.owner}: {key} is {_short(value)}; a number is expected.")
        return value

    def only(self, key: str, expected: Any) -> None:
        """Take a value that must be one of a kind."""
        value = self.take(key)
        if type(value) is not type(expected) or value != expected:
            raise NetworkError(f"Layer {self.owner}: {key} is {_short(value)}; only {expected!r} can be loaded.")

    def finish(self) -> None:
        """Refuse settings that are left and could change what the layer computes."""
        for key, value in _NEUTRAL:
            if key in self.rest:
                self.only(key, value)
        left = sorted(set(self.rest) - _UNIMPORTANT)
        if left:
            raise NetworkError(f"Layer {self.owner}: the settings {str(left)[:200]} are not known.")
