"""Write measured numbers so that they do not contradict the sentence around them."""

import re

#: Decimals that tell any two float64 numbers near 1 apart.
_MOST_DECIMALS = 17

_SPEC = re.compile(r"\.([0-9]+)([f%])")


class Measured(float):
    """A number that was compared with a limit; written with as many decimals as it takes to show on which side it is.

    Parameters
    ----------
    value : float
        What was measured.
    limit : float
        What it was compared with.

    Examples
    --------
    >>> f"{Measured(0.31, 0.5):.2f}, {Measured(0.498, 0.5):.2f}, {Measured(0.4999, 0.5):.0%}"
    '0.31, 0.498, 49.99%'
    """

    limit: float

    def __new__(cls, value: float, limit: float) -> "Measured":
        """Return the number with its limit."""
        number = super().__new__(cls, value)
        number.limit = float(limit)
        return number

    def __format__(self, spec: str) -> str:
        found = _SPEC.fullmatch(spec)
        if found is None or self == self.limit:
            return super().__format__(spec)
        for decimals in range(int(found[1]), _MOST_DECIMALS):
            text = super().__format__(f".{decimals}{found[2]}")
            number = float(text.removesuffix("%")) / (100 if found[2] == "%" else 1)
            if number != self.limit and (number < self.limit) == (self < self.limit):
                return text
        return repr(float(self))
