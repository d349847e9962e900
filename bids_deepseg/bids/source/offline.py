"""Start a program that can open no connection: ``python offline.py PROGRAM [ARGUMENT ...]``.

Run as a file of its own, with nothing but the standard library: it takes the right to open sockets of the internet from
its own process, which all that it starts inherits, and then becomes the program. The kernel does this for any user
(seccomp, https://docs.kernel.org/userspace-api/seccomp_filter.html). Where it cannot be done the program runs all the
same, with the environment of :func:`offline_environment` only.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Mapping

#: Number of the architecture for the kernel, and of its system call ``socket``.
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}

#: Families of sockets that stay allowed: between processes of this machine, and to the kernel.
_AF_UNIX, _AF_NETLINK = 1, 16

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 13  # The second is the error "permission denied".
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06

#: Places of the facts about a system call: its number, the architecture, the first argument.
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16

#: Variables by which the validator would load its rules from an address.
_LEFT_OUT = ("BIDS_SCHEMA",)

#: Deno asks for its newest version once a day, or in each run where it has no folder to remember that; git would fetch
#: what a partial clone left behind.
_ADDED = {"DENO_NO_UPDATE_CHECK": "1", "DENO_NO_PROMPT": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


def offline_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables for a program that must not contact anyone."""
    return {name: value for name, value in environ.items() if name not in _LEFT_OUT} | _ADDED


def _forbid_connections() -> bool:
    """Take the right to open sockets of the internet from this process and all that it starts."""
    known = _SOCKET_CALLS.get(platform.machine())
    if known is None or not sys.platform.startswith("linux"):
        return False
    architecture, socket = known
    # Each jump states how many of the following steps are passed over: if equal, otherwise.
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, socket),
        (_LOAD, 0, 0, _FIRST),
        (_JUMP_IF_EQUAL, 1, 0, _AF_UNIX),
        (_JUMP_IF_EQUAL, 0, 1, _AF_NETLINK),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    filled = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    try:
        control = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return False
    control.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if control(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return bool(control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filled), 0, 0) == 0)


if __name__ == "__main__":
    _forbid_connections()
    os.execv(sys.argv[1], sys.argv[1:])
