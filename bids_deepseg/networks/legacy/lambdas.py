"""Prove that the Lambda layer of a Keras 2.0.6 file is the identity, without running or unpickling any of it.

The networks were written by Python 2.7, which stored the function ``lambda z: z / temperature`` as marshalled byte
code with the value of ``temperature`` beside it. The bytes are compared, field by field, with the only form that is
accepted: one argument, no constant but None, no name, the four instructions "load the argument, load the enclosed
variable, divide, return", and an enclosed value of exactly 1.0. Then f(z) = z / 1.0 = z for every float (IEEE 754).
File name, line number and names of variables may differ: they do not change what is computed.
"""

import struct
from dataclasses import dataclass
from typing import Any, NoReturn

from bids_deepseg.errors import NetworkError

#: LOAD_FAST 0; LOAD_DEREF 0; BINARY_TRUE_DIVIDE or BINARY_DIVIDE; RETURN_VALUE (Python 2.7, Include/opcode.h).
_DIVISIONS = (b"|\x00\x00\x88\x00\x00\x1bS", b"|\x00\x00\x88\x00\x00\x15S")

#: CO_OPTIMIZED | CO_NEWLOCALS | CO_NESTED: neither generator, nor extra positional or keyword arguments.
_FLAGS = 0x13

#: Flags of "from __future__ import ...", which only the compiler heeds (Python 2.7, Include/code.h).
_FUTURE_FLAGS = 0x3E000

_LONGEST = 1000


@dataclass(slots=True)
class _Bytes:
    """Bytes that are taken from the front; what is not as expected raises ``ValueError``."""

    rest: bytes

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.rest):
            raise ValueError("it ends too early")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def expect(self, wanted: bytes, what: str) -> None:
        if self.take(len(wanted)) != wanted:
            raise ValueError(f"{what} differs")

    def string(self, what: str) -> bytes:
        """Take a byte string, interned ("t") or not ("s")."""
        if self.take(1) not in {b"t", b"s"}:
            raise ValueError(f"{what} is not a string")
        return self.take(struct.unpack("<i", self.take(4))[0])

    def one_name(self, what: str) -> None:
        """Take a tuple with one string."""
        self.expect(b"(" + struct.pack("<i", 1), what)
        self.string(what)


def check_identity(config: dict[str, Any]) -> None:
    """Make sure that a Lambda layer is the identity.

    Parameters
    ----------
    config : dict
        Configuration of the layer, as in the JSON of the file.

    Raises
    ------
    NetworkError
        If it is not proved to be the identity.
    """
    name = str(config.get("name"))[:80]
    plain: dict[str, Any] = {
        "function_type": "lambda",
        "arguments": {},
        "output_shape": None,
        "output_shape_type": "raw",
    }
    different = [key for key, value in plain.items() if key not in config or config[key] != value]
    different += sorted(set(config) - set(plain) - {"function", "name", "trainable"})
    if different:
        _refuse(name, f"{str(different)[:200]} differs")
    function = config.get("function")
    if not isinstance(function, list) or len(function) != 3:
        _refuse(name, "code, defaults and closure are expected")
    code, defaults, closure = function
    if defaults is not None:
        _refuse(name, "it has default arguments")
    if not isinstance(closure, list) or len(closure) != 1 or type(closure[0]) is not float or closure[0] != 1.0:
        _refuse(name, "the enclosed value is not 1.0")
    if not isinstance(code, str) or len(code) > _LONGEST:
        _refuse(name, "its code is not a short string")
    try:
        _check_code(_Bytes(code.encode("latin-1")))
    except (ValueError, struct.error) as error:
        _refuse(name, str(error))


def _check_code(code: _Bytes) -> None:
    """Make sure that bytes are the marshalled division of the argument by one enclosed variable."""
    code.expect(b"c" + struct.pack("<iii", 1, 1, 2), "the number of arguments")
    if struct.unpack("<i", code.take(4))[0] & ~_FUTURE_FLAGS != _FLAGS:
        raise ValueError("a flag differs")
    if code.string("the code") not in _DIVISIONS:
        raise ValueError("the instructions differ")
    code.expect(b"(" + struct.pack("<i", 1) + b"N", "the constants")
    code.expect(b"(" + struct.pack("<i", 0), "the names")
    code.one_name("the argument")
    code.one_name("the enclosed variable")
    code.expect(b"(" + struct.pack("<i", 0), "the cell variables")
    code.string("the file name")
    code.string("the function name")
    code.take(4)
    code.string("the table of lines")
    if code.rest:
        raise ValueError("something follows")


def _refuse(name: str, reason: str) -> NoReturn:
    """Raise the error for a Lambda layer that is not accepted."""
    raise NetworkError(
        f"Layer {name}: the Lambda function is not proved to be the identity ({reason}). Only z / 1.0, as in the "
        "published networks, is accepted; nothing of it was run. Use the file as it was published."
    )
