"""Write the methods text ``logs/CITATION.{md,html,bib}`` from the results that are in the output folder.

Like the tables, the text is of everything in the folder and not of one run: the same command again, or the same images
in several runs, give the same files.
"""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bids_deepseg.bids.derivatives.failures import FailureRecord, read_failures
from bids_deepseg.bids.derivatives.saved import SavedResult, find_saved
from bids_deepseg.bids.derivatives.saved_facts import MaskFacts, Model
from bids_deepseg.bids.naming import parse_name
from bids_deepseg.errors import DamagedResultError, DatasetError
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.files.names import as_utf8
from bids_deepseg.options.method import default_facts
from bids_deepseg.report.boilerplate import MethodsFacts, NetworkFact, render_methods

#: Rounds of looking again while other processes write; each round but the last saw a change.
_MAX_ROUNDS = 20

_VERDICTS = ("pass", "warn", "fail")

#: Names for people of what computes the networks.
_LIBRARY_OF = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}

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
    stated = [result.facts for result in results]
    made = [facts for facts in stated if not facts.manual]
    verdicts: Counter[str] = Counter(result.verdict for result in results)
    names = sorted({name for facts in made for name in facts.options})
    # A setting of the method that is as by default is not stated in a sidecar.
    unstated = {name: value or "that of the network" for name, value in default_facts().items()} | _UNSTATED
    return MethodsFacts(
        versions=_sorted(facts.version or version for facts in stated) or {version: 0},
        software=_software(stated),
        networks=_networks(results),
        n_participants=len({result.subject for result in results}),
        n_images=len(results),
        kinds=_sorted(_suffix(result.source_file) for result in results),
        thresholds=_sorted("unknown" if facts.threshold is None else str(facts.threshold) for facts in made),
        options={
            name: _sorted(str(facts.options.get(name, unstated.get(name, "not stated"))) for facts in made)
            for name in names
        },
        n_averaged=sum(facts.is_mean for facts in stated),
        verdicts={verdict: verdicts[verdict] for verdict in (*_VERDICTS, *sorted(set(verdicts) - set(_VERDICTS)))},
        failures=_sorted(failure.status for failure in failures),
        n_drawn=len(stated) - len(made),
        structures=_sorted(result.task.noun for result in results if result.task is not None),
    )


def _software(stated: Iterable[MaskFacts]) -> Mapping[str, str]:
    """Return the versions of the libraries; of those that compute networks, the ones that made results."""
    # Results of before there was a choice name none.
    backends = {facts.backend or ("" if facts.manual else "tensorflow") for facts in stated}
    used = {name for backend, name in _LIBRARY_OF.items() if backend in backends}
    unused = set(_LIBRARY_OF.values()) - used if used else set()
    return {name: number for name, number in software_versions().items() if name not in unused}


def _update(folder: Path, facts: MethodsFacts, markdown_only: bool) -> bool:  # noqa: FBT001 - private
    """Write the files that differ; return whether there was one."""
    text = render_methods(facts)
    make_folder(folder)
    changed = write_if_different(folder / "CITATION.md", as_utf8(text.markdown))
    for name, content in (("CITATION.html", text.html), ("CITATION.bib", text.bibtex)):
        if markdown_only:
            with output_errors(folder / name):
                (folder / name).unlink(missing_ok=True)
        else:
            changed |= write_if_different(folder / name, as_utf8(content))
    return changed


def _networks(results: Sequence[SavedResult]) -> tuple[NetworkFact, ...]:
    """Return the networks in the order of their first use."""
    models = [model for result in results for model in result.facts.models]
    counts = Counter([*models, *(model for result in results for model in _structure_models(result))])
    return tuple(NetworkFact(model.name, model.sha256, count) for model, count in counts.items())


def _structure_models(result: SavedResult) -> Iterator[Model]:
    """Yield the networks of what was segmented inside the cord."""
    # The group level and the pages tell of a sidecar that is damaged.
    with suppress(DamagedResultError):
        structure = result.structure()
        yield from structure.models if structure is not None else ()


def _suffix(source: str) -> str:
    """Return the kind of a source image."""
    name = parse_name(source.rpartition("/")[2])
    return name.suffix if name else "unknown"


def _sorted(words: Iterable[str]) -> dict[str, int]:
    """Count words, sorted by word."""
    return dict(sorted(Counter(words).items()))


#: Names shown to users, and the distributions that may provide each.
_LIBRARIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TensorFlow", ("tensorflow-cpu", "tensorflow")),
    ("OpenVINO", ("openvino",)),
    ("Keras", ("keras",)),
    ("nibabel", ("nibabel",)),
    ("NumPy", ("numpy",)),
    ("SciPy", ("scipy",)),
)


def software_versions() -> Mapping[str, str]:
    """Return the versions by name, Python first; a library that is not installed is left out."""
    found = {"Python": platform.python_version()}
    for name, distributions in _LIBRARIES:
        for distribution in distributions:
            try:
                found.setdefault(name, version(distribution))
            except PackageNotFoundError:
                continue
    return found
