"""Write the methods text ``logs/CITATION.{md,html,bib}`` from the results that stand in the output folder.

Like the tables, the text is of everything in the folder and not of one run: the same command again, or the same images
in several runs, give the same files.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bids_deepseg.app.versions import software_versions
from bids_deepseg.bids.derivatives.failures import FailureRecord, read_failures
from bids_deepseg.bids.derivatives.saved import SavedResult, find_saved
from bids_deepseg.bids.naming import parse_name
from bids_deepseg.errors import DatasetError
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.options.method import default_facts
from bids_deepseg.report.boilerplate import MethodsFacts, NetworkFact, render_methods

#: Rounds of looking again while other processes write; each round but the last saw a change.
_MAX_ROUNDS = 20

_VERDICTS = ("pass", "warn", "fail")

#: What it means that an image does not state an option.
_UNSTATED = {"volume": "no anatomical series"}


def write_citation(output_dir: Path, *, version: str, markdown_only: bool = False) -> bool:
    """Bring ``logs/CITATION.*`` up to date.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set, the only folder that is read.
    version : str
        Version of the app, for results that do not state theirs.
    markdown_only : bool, optional
        Write ``CITATION.md`` only; other forms of an earlier run, which may say something else, are removed.

    Returns
    -------
    bool
        False if there is neither a result nor a failure to write about.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    for _ in range(_MAX_ROUNDS):
        results = list(find_saved(output_dir))
        done = {result.source for result in results}
        failures = [failure for failure in read_failures(output_dir) if failure.source not in done]
        if not results and not failures:
            return False
        if not _update(output_dir / "logs", gather_facts(results, failures, version=version), markdown_only):
            break
    return True


def write_only_citation(output_dir: Path, *, version: str, markdown_only: bool = False) -> None:
    """Write the methods text of earlier runs; parameters as for :func:`write_citation`.

    Raises
    ------
    DatasetError
        If there is nothing to write about.
    """
    if not write_citation(output_dir, version=version, markdown_only=markdown_only):
        raise DatasetError(
            f"{output_dir} holds no result of the participant level, which the methods text is about. Run it first: "
            "run.py bids_dir output_dir participant"
        )


def gather_facts(results: Sequence[SavedResult], failures: Iterable[FailureRecord], *, version: str) -> MethodsFacts:
    """Count what the methods text states.

    Parameters
    ----------
    results : sequence of SavedResult
        Images with a result.
    failures : iterable of FailureRecord
        Images without.
    version : str
        Version of the app, for results that do not state theirs.
    """
    sidecars = [result.sidecar for result in results]
    made = [sidecar for sidecar in sidecars if sidecar.get("Manual") is not True]
    verdicts = Counter(result.verdict for result in results)
    names = sorted({str(name) for sidecar in made for name in _mapping(sidecar.get("Options"))})
    # A setting of the method that is as by default is not stated in a sidecar.
    unstated = {name: value or "that of the network" for name, value in default_facts().items()} | _UNSTATED
    return MethodsFacts(
        versions=_sorted(_version_of(sidecar, version) for sidecar in sidecars) or {version: 0},
        software=software_versions(),
        networks=_networks([*sidecars, *(result.structure_sidecar for result in results)]),
        n_participants=len({result.subject for result in results}),
        n_images=len(results),
        kinds=_sorted(_suffix(result.source_file) for result in results),
        thresholds=_sorted(str(sidecar.get("Threshold", "unknown")) for sidecar in made),
        options={
            name: _sorted(
                str(_mapping(sidecar.get("Options")).get(name, unstated.get(name, "not stated"))) for sidecar in made
            )
            for name in names
        },
        n_averaged=sum("VolumesUsed" in sidecar for sidecar in sidecars),
        verdicts={verdict: verdicts[verdict] for verdict in (*_VERDICTS, *sorted(set(verdicts) - set(_VERDICTS)))},
        failures=_sorted(failure.status for failure in failures),
        n_drawn=len(sidecars) - len(made),
        structures=_sorted(result.task.noun for result in results if result.task is not None),
    )


def _update(folder: Path, facts: MethodsFacts, markdown_only: bool) -> bool:  # noqa: FBT001 - private
    """Write the files that differ; return whether there was one."""
    text = render_methods(facts)
    make_folder(folder)
    changed = write_if_different(folder / "CITATION.md", text.markdown.encode())
    for name, content in (("CITATION.html", text.html), ("CITATION.bib", text.bibtex)):
        if markdown_only:
            with output_errors(folder / name):
                (folder / name).unlink(missing_ok=True)
        else:
            changed |= write_if_different(folder / name, content.encode())
    return changed


def _networks(sidecars: Iterable[Mapping[str, object]]) -> tuple[NetworkFact, ...]:
    """Return the networks in the order of their first use."""
    counts: Counter[tuple[str, str]] = Counter()
    for sidecar in sidecars:
        models = sidecar.get("Model")
        for model in models if isinstance(models, list) else ():
            counts[str(_mapping(model).get("Name")), str(_mapping(model).get("SHA256"))] += 1
    return tuple(NetworkFact(name, sha256, count) for (name, sha256), count in counts.items())


def _version_of(sidecar: Mapping[str, object], default: str) -> str:
    """Return the version of the app that made a result."""
    makers = sidecar.get("GeneratedBy")
    first = makers[0] if isinstance(makers, list) and makers else None
    return str(_mapping(first).get("Version", default))


def _suffix(source: str) -> str:
    """Return the kind of a source image."""
    name = parse_name(source.rpartition("/")[2])
    return name.suffix if name else "unknown"


def _sorted(words: Iterable[str]) -> dict[str, int]:
    """Count words, sorted by word."""
    return dict(sorted(Counter(words).items()))


def _mapping(value: object) -> Mapping[str, object]:
    """Return a mapping, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}
