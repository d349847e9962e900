"""Serve ``bids_deepseg weights``: list, check and install the published networks of a folder.

A run of the app imports none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.cli.lifecycle import Command
from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.options.declare import option, setting
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.networks.published.specs import FoundFile, PublishedSpec

#: Words after ``weights``.
ACTIONS = ("list", "check", "install")

_USAGE = "bids_deepseg weights {list,check,install} DIR [NAME ...] [--from ADDRESS]"

_DESCRIPTION = """\
Manage networks that other groups published. The package neither contains nor needs them.

  list [DIR]             show all that are known, and which are in DIR
  check DIR [NAME ...]   compare the files in DIR with the published ones (git blob ids)
  install DIR [NAME ...] fetch those of the release r20180610 into DIR; needs an internet connection

The authors state no licence for these files. Ask them before you pass the files on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOptions:
    """Options of ``bids_deepseg weights``; their metadata tells what they are."""

    action: str = field(metadata=option("action", choices=ACTIONS))
    folder: Path | None = setting(
        None, "folder", kind=Path, metavar="DIR", required=False, help="folder of network files"
    )
    names: tuple[str, ...] = setting(
        (), "names", count="many", metavar="NAME", required=False, help="networks, by the names that 'list' shows"
    )
    address: str | None = setting(
        None,
        "--from",
        group="other",
        metavar="ADDRESS",
        help="install: https:// or file:// address in which {name}, {file} and {blob} are replaced (default: the "
        "release on GitHub)",
    )


def run_weights(words: Sequence[str], _engine: "Engine | None" = None) -> int:
    """Run one of the actions.

    Parameters
    ----------
    words : sequence of str
        Words after ``weights``.

    Returns
    -------
    int
        0 if all is well, 78 if a checked file is missing or is not the published one.

    Raises
    ------
    UsageError
        If the words make no sense.
    NetworkError
        If a file cannot be read or fetched.
    OutputError
        If a file cannot be written.
    SystemExit
        With code 0 after ``--help``.
    """
    options = _parse(words)
    from bids_deepseg.networks.published.specs import PUBLISHED, published_spec  # noqa: PLC0415 - not needed for --help

    specs = tuple(published_spec(name) for name in options.names)
    if options.action == "list" or options.folder is None:
        return _list(options.folder, PUBLISHED)
    if options.action == "check":
        return _check(options.folder, specs)
    return _install(options.folder, specs, options.address)


def _parse(words: Sequence[str]) -> WeightsOptions:
    """Read the words."""
    parser = OptionParser(WeightsOptions, "bids_deepseg weights", usage=_USAGE, description=_DESCRIPTION)
    options = read_words(parser, WeightsOptions, words)
    if options.folder is None and options.action != "list":
        parser.error("a folder is expected")
    if options.action == "list" and options.names:
        parser.error("list takes one folder at most")
    if options.action != "install" and options.address:
        parser.error("--from belongs to install")
    return options


def _list(folder: Path | None, specs: Sequence["PublishedSpec"]) -> int:
    """Show the table of networks."""
    from bids_deepseg.networks.published.specs import FoundFile, find_files  # noqa: PLC0415 - not needed for --help

    files = [FoundFile(spec, "missing") for spec in specs] if folder is None else find_files(folder, specs)
    rows = [("name", "shows", "contrast", "patch", "parameters", "licence", "in DIR" if folder else "")]
    for file in files:
        spec = file.spec
        patch = "x".join(str(size) for size in spec.patch_shape)
        state = file.state if folder else ""
        rows.append((spec.name, spec.task, spec.contrast, patch, str(spec.n_parameters), spec.licence, state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _check(folder: Path, specs: Sequence["PublishedSpec"]) -> int:
    """Compare files; those that are named must be there, otherwise one at least."""
    from bids_deepseg.networks.published.specs import PUBLISHED, find_files  # noqa: PLC0415 - not needed for --help

    files = find_files(folder, specs or PUBLISHED)
    for file in files:
        say(_line(file))
    n_present = sum(file.state == "present" for file in files)
    n_changed = sum(file.state == "changed" for file in files)
    say(f"{n_present} of {len(files)} are the published files, {n_changed} differ.")
    wrong = n_changed or n_present == 0 or (specs and n_present < len(files))
    return NetworkError.exit_code if wrong else 0


def _line(file: "FoundFile") -> str:
    """Tell the state of one file."""
    if file.path is None:
        return f"missing  {file.spec.name}: {' or '.join(file.spec.filenames)}"
    if file.state == "present":
        return f"ok       {file.spec.name}: {file.path}"
    return f"DIFFERS  {file.spec.name}: {file.path} is {file.reason} (blob {file.blob}, expected {file.spec.blob})"


def _install(folder: Path, specs: Sequence["PublishedSpec"], address: str | None) -> int:
    """Fetch what is missing; each file gets its name only after it was found to be the published one."""
    from bids_deepseg.files.atomic import make_folder, write_files  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.networks.published.download import RELEASE_ADDRESS, address_of, fetch  # noqa: PLC0415
    from bids_deepseg.networks.published.specs import PUBLISHED, RELEASE, find_file  # noqa: PLC0415

    outside = [spec.name for spec in specs if not spec.in_release]
    if outside and address is None:
        names = ", ".join(outside)
        raise UsageError(f"Not in the release {RELEASE[1]}: {names}. Say where they are with --from.")
    wanted = [
        (spec, address_of(spec, address or RELEASE_ADDRESS))
        for spec in specs or [spec for spec in PUBLISHED if spec.in_release]
    ]
    make_folder(folder)
    for spec, source in wanted:
        file = find_file(folder, spec)
        if file.state == "changed":
            raise NetworkError(
                f"{file.path} is {file.reason}, not the published network {spec.name}. It was left as it is; move it "
                "away and install again."
            )
        if file.state == "present":
            say(_line(file))
            continue
        say(f"fetching {spec.name} from {source}")
        content = fetch(spec, source)
        path = folder / spec.filenames[0]
        write_files([(path, lambda stream, content=content: stream.write(content))])  # type: ignore[misc]
        say(f"ok       {spec.name}: {path} ({len(content)} bytes)")
    say("The authors state no licence for these files. Ask them before you pass the files on.")
    return 0


COMMAND = Command(
    "weights",
    "ACTION",
    "list, check and install networks that others published",
    run_weights,
    first_words=frozenset({*ACTIONS, "-h", "--help"}),
)
