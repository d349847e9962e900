"""Import a library without the large libraries that it loads for what nobody asks of it here.

Keras imports whatever it might need one day: matplotlib for plots, pandas for tables, SciPy's filters for spectra. That
took more than half of the time until Keras was there, and 90 MB.
"""

import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


class _Sparing(MetaPathFinder):
    """Find no hidden module, and put off loading those that can wait, for the thread that made this finder."""

    def __init__(self, hidden: Collection[str], late: Collection[str]) -> None:
        self.hidden, self.late, self.thread = hidden, late, threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return how a module is loaded late; None leaves the module to the other finders."""
        if threading.get_ident() != self.thread:
            return None
        if fullname in self.hidden:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)
        spec = PathFinder.find_spec(fullname, path) if fullname in self.late else None
        if spec is None or not isinstance(spec.loader, Loader):
            return None
        spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def sparing(*, hidden: Collection[str] = (), late: Collection[str] = ()) -> Iterator[None]:
    """Spare the imports of a block what they do not need; modules that were imported before stay as they are.

    Parameters
    ----------
    hidden : collection of str
        Modules that look as if they were not installed; the importing library must be able to do without.
    late : collection of str
        Modules that are loaded when something of them is used first, whoever uses it.
    """
    finder = _Sparing(hidden, late)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
