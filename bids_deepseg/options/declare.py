"""Declare each option once, as the metadata of a field of a frozen dataclass.

The parser, the configuration file, the Boutiques descriptor and the table in ``docs/usage.md`` derive from it::

    @dataclass(frozen=True)
    class Options:
        n_cpus: int | None = setting(None, "--n-cpus", kind=int, metavar="N", group="resources", help="processors")

The metadata of a field maps the first name of an option to its :class:`Option`. Where several options set one field,
they are joined by ``|``, and a later one wins. A field whose default factory is such a dataclass brings its options.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from dataclasses import field as new_field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bids_deepseg.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Options = TypeVar("_Options", bound="DataclassInstance")

_Value = TypeVar("_Value")

#: Headings of the help, in its order.
GROUPS = ("image", "selection", "reading", "method", "validation", "resources", "running", "outputs", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of the command line.

    Attributes
    ----------
    names : tuple of str
        First the name that is shown and that is the key in TOML, then other names. A name without ``-`` is a
        positional word.
    help : str
        What it does, in Markdown with links as from ``docs/``; empty if the help has no line of it.
    group : str
        Heading in the help, of :data:`GROUPS`.
    count : str
        Number of values: ``none``, ``one`` or ``many``.
    kind : callable
        Turns the text of a value into that value: ``str``, ``int`` or ``Path``.
    metavar : str or None
        What stands for a value in the help.
    choices : tuple of str
        Words that are allowed, empty for any.
    default : str
        What holds without the option, in Markdown; empty where the help says it already or nothing needs to be said.
    more : str
        Markdown that follows the help in ``docs/usage.md``.
    required : bool
        Whether a positional word must be given.
    repeatable : bool
        Whether an option without value counts how often it is given.
    read : callable
        Turns the values into the value of the field.
    write : callable or None
        Turns the value of the field into that of the TOML key; None if another option of the field is written.
    contradicts : str
        Another option of the field, with or without a value, that must not be given together with this one.
    replaces : str
        Option of another field that this one decides as well: on the command line, either replaces both of the file.
    """

    names: tuple[str, ...]
    help: str = ""
    group: str = ""
    count: str = "one"
    kind: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str = ""
    more: str = ""
    required: bool = True
    repeatable: bool = False
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] | None
    contradicts: str = ""
    replaces: str = ""

    @property
    def is_positional(self) -> bool:
        """Return whether it is a word without a name."""
        return not self.names[0].startswith("-")

    @property
    def destination(self) -> str:
        """Name of the value in the result of the parser, and key in TOML."""
        return _destination(self.names[0])

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names, with ``-`` and with ``_``."""
        both = [(name, name[:2] + name[2:].replace("-", "_")) for name in self.names]
        return tuple(dict.fromkeys(name for pair in both for name in pair))

    @property
    def text(self) -> str:
        """What it does and its default, without markup."""
        text = f"{self.help} (default: {self.default})" if self.default else self.help
        return re.sub(r"\[(.+?)\]\(.+?\)", r"\1", text).replace("`", "")


def option(*names: str, written: bool = True, **more: Any) -> dict[str, Option]:
    """Return the metadata of a field that is set by an option with values.

    Parameters
    ----------
    *names, **more
        Attributes of :class:`Option`.
    written : bool, optional
        Whether a configuration file that is written has this option.
    """
    more.setdefault("read", tuple if more.get("count") == "many" else _same)
    more.setdefault("write", _as_toml if written else None)
    return {names[0]: Option(names=names, **more)}


def switch(*names: str, value: Any = True, written: bool = True, **more: Any) -> dict[str, Option]:
    """Return the metadata of a field that an option without value sets to ``value``."""
    write = partial(operator.eq, value) if written else None
    return option(*names, count="none", read=lambda _given: value, write=write, **more)


def setting(usual: _Value, /, *names: str, **more: Any) -> _Value:
    """Return a field with a usual value that an option with values sets; parameters as for :func:`option`."""
    return new_field(default=usual, metadata=option(*names, **more))


def flag(*names: str, value: bool = True, **more: Any) -> bool:
    """Return a field that an option without value sets to ``value``; parameters as for :func:`switch`."""
    return new_field(default=not value, metadata=switch(*names, value=value, **more))


def _same(value: Any) -> Any:
    """Return a value as it is."""
    return value


def _as_toml(value: Any) -> Any:
    """Turn the value of a field into one that TOML knows; paths are written in full."""
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value


def _destination(name: str) -> str:
    """Return the key of an option's name."""
    return name.lstrip("-").replace("-", "_")


def _own(field: Field[Any]) -> tuple[Option, ...]:
    """Return the options that set a field."""
    return tuple(each for each in field.metadata.values() if isinstance(each, Option))


def _nested(field: Field[Any]) -> Any:
    """Return the class of a field that brings options of its own, None for any other field."""
    factory = field.default_factory
    return factory if factory is not MISSING and is_dataclass(factory) else None


def fields_of(declared: Any) -> Iterator[tuple[Field[Any], tuple[Option, ...]]]:
    """Return the fields of a class of options and of the classes in it, each with the options that set it."""
    for field in fields(declared):
        nested = _nested(field)
        if nested is not None:
            yield from fields_of(nested)
        else:
            yield field, _own(field)


def options_of(declared: Any) -> tuple[Option, ...]:
    """Return all options of a class, in the order of the help."""
    named = [each for _, options in fields_of(declared) for each in options if not each.is_positional]
    return tuple(sorted(named, key=lambda each: GROUPS.index(each.group)))


def positionals_of(declared: Any) -> tuple[Option, ...]:
    """Return the positional words of a class, in their order."""
    return tuple(each for _, options in fields_of(declared) for each in options if each.is_positional)


def build(declared: type[_Options], given: Mapping[str, Any]) -> _Options:
    """Make an object of a class of options from the values of the parser.

    Parameters
    ----------
    declared : class
        The class; if it has a method ``implied``, that adds what follows from the values of other fields.
    given : mapping of str to object
        Values by the destination of their option, only of options that were given.

    Raises
    ------
    UsageError
        If a value is wrong, or values contradict each other.
    """
    values: dict[str, Any] = {}
    for field in fields(declared):
        nested = _nested(field)
        if nested is not None:
            values[field.name] = build(nested, given)
        for each in _own(field):
            if each.destination in given:
                _refuse_contradiction(each, given)
                values[field.name] = each.read(given[each.destination])
    implied = getattr(declared, "implied", None)
    return declared(**(values | implied(values) if implied else values))


def _refuse_contradiction(option: Option, given: Mapping[str, Any]) -> None:
    """Refuse an option beside one that says something else about the same field."""
    name, _, value = option.contradicts.partition(" ")
    other = given.get(_destination(name))
    if other is not None and value in ("", other):
        raise UsageError(f"{option.names[0]} and {option.contradicts} contradict each other. Choose one.")


def toml_values(options: Any) -> dict[str, Any]:
    """Return the values of all options for TOML, by their keys; what needs no line is None, False or empty."""
    values: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if _nested(field) is not None:
            values |= toml_values(value)
        values |= {each.destination: each.write(value) for each in _own(field) if each.write is not None}
    return values


def check_choices(options: Any) -> None:
    """Make sure that each field has one of the words of its option.

    Raises
    ------
    UsageError
        If one has another.
    """
    for field in fields(options):
        for each in _own(field):
            if each.choices and getattr(options, field.name) not in each.choices:
                found = getattr(options, field.name)
                raise UsageError(f"{each.names[0]} is {found!r}. Expected: {', '.join(each.choices)}.")
