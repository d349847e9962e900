"""What is measured; each function returns tables, and processor time is taken wherever it can be."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.speed.datasets import USUAL, WARM_UP, Size, write_many, write_phantoms, write_whole_spine
from benchmarks.speed.running import ROOT, Taken, segment_in_one_process, take, threads
from benchmarks.speed.table import Check, Table, fit_line

#: Slices at 1 mm. Below 64 thin slices, all are scanned.
_N_SLICES = (64, 112, 160, 208, 256)

#: Pixels along one side of slices that are so few that all are scanned as a whole. The tiles of a scan advance by 64
#: pixels: between multiples of that, their number grows in steps of a row and a column, and the time with it.
_SIDES = (128, 192, 256, 320, 384)
_N_THICK = 24

#: How often each size is measured; the median counts.
_REPEATS = 3

#: Slices that are segmented with a session for each.
_N_NAIVE = 12

#: Participants of a large data set.
_MANY = 2000

_QUIET = ("--skip-bids-validation", "-q")


@contextmanager
def folder() -> Iterator[Path]:
    """Hold a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def stages(backends: Sequence[str]) -> Iterator[Table]:
    """Measure the stages of a usual image, for each library that computes the networks."""
    rows, cold = [], []
    with folder() as place:
        write_phantoms(place / "in", (WARM_UP, USUAL, USUAL, USUAL))
        for backend in backends:
            words = ("participant", *_QUIET, "--backend", backend, "--participant-label", "0001")
            runs = [take((ROOT / "run.py", place / "in", place / f"{backend}{turn}", *words)) for turn in range(3)]
            run = sorted(runs, key=lambda run: run.processor_s)[1]
            cold.append((backend, run.wall_s, run.processor_s, run.peak_mib))
            found = segment_in_one_process(place / "in", place / backend, backend=backend, rescue="auto")
            usual = sorted(found[1:], key=lambda row: row["processor_s"])[1]
            rows.append((backend, "start and first small image", found[0]["start_s"], "", found[0]["peak_mib"]))
            whole = usual["processor_s"]
            rows += [(backend, name, value, f"{value / whole:.0%}", "") for name, value in usual["stages"].items()]
            share = f"{usual['networks_s'] / whole:.0%}"
            rows.append((backend, "of all stages: inside the networks", usual["networks_s"], share, ""))
            rows.append((backend, "**whole image**", whole, "100%", found[-1]["peak_mib"]))
    shape = " x ".join(map(str, USUAL.shape))
    yield Table(
        "Stages",
        f"A T2w phantom of {shape} voxels of 1 mm, segmented by a process that has loaded the networks: the median of "
        f"three. One minute of one processor is enough for {60 / whole:.1f} such images with {backends[-1]}.",
        ("Networks by", "Stage", "Processor time, s", "Share", "Peak memory, MiB"),
        rows,
    )
    yield Table(
        "One image from the command line to the end",
        "The same image in a run of its own, page included, without validation: the median of three runs.",
        ("Networks by", "Wall time, s", "Processor time, s", "Peak memory, MiB"),
        cold,
    )


def scaling(
    backends: Sequence[str], draw: Callable[[dict[str, tuple[list[float], list[float]]]], None]
) -> Iterator[Table]:
    """Measure how the time grows with slices and with pixels."""
    series = {
        "slices of 128 x 128 pixels of 1 mm, 1 mm thick": {n: Size((128, 128, n), (1.0, 1.0, 1.0)) for n in _N_SLICES},
        f"pixels of 1 mm in each of {_N_THICK} slices, 3 mm thick": {
            n * n: Size((n, n, _N_THICK), (1.0, 1.0, 3.0)) for n in _SIDES
        },
    }
    points = {}
    for name, sizes in series.items():
        with folder() as place:
            write_phantoms(place / "in", (WARM_UP, *list(sizes.values()) * _REPEATS))
            found = segment_in_one_process(place / "in", place / "out", backend=backends[0])[1:]
        x = [float(number) for number in sizes]
        # All sizes in turn, so that a busy minute of the machine does not meet one size only.
        y = [statistics.median(row["processor_s"] for row in found[n :: len(x)]) for n in range(len(x))]
        points[name] = (x, y)
        slope, intercept, r2 = fit_line(x, y)
        yield Table(
            f"Time against {name.partition(' of ')[0]}",
            f"One more of the {name} takes {slope * 1e3:.3g} ms; {intercept:.2f} s for none. R2 = {r2:.4f}. Networks "
            f"by {backends[0]}, without rescue; medians of {_REPEATS} images of each size.",
            ("Number", "Processor time, s", "Verdict"),
            [(int(n), seconds, row["verdict"]) for n, seconds, row in zip(x, y, found, strict=False)],
            [Check(f"R2 of time against {name.partition(' of ')[0]}", r2, 0.98)],
        )
    draw(points)


def naive(backends: Sequence[str]) -> Iterator[Table]:
    """Measure against the same networks with a session for each slice."""
    size = Size((96, 96, _N_NAIVE), (1.0, 1.0, 2.0))
    with folder() as place:
        write_phantoms(place / "in", (WARM_UP, size))
        ways = {
            way: segment_in_one_process(place / "in", place / way, backend=backends[0], way=way)[1]
            for way in ("ours", "naive")
        }
        same = _masks(place / "ours") == _masks(place / "naive")
    ratio = ways["naive"]["processor_s"] / ways["ours"]["processor_s"]
    yield Table(
        "Against a session for each slice",
        f"A T2w phantom of {_N_NAIVE} slices of 96 x 96 pixels of 1 mm, by the same networks and the same code around "
        "them. In the naive way, each network is read from its file, in a new session, for each slice, as the "
        f"reference does. The masks are {'the same' if same else '**different**'}.",
        ("Way", "Processor time, s", "Sessions"),
        [(way, row["processor_s"], row["n_sessions"] or "none beyond the first") for way, row in ways.items()],
        [Check("times as fast as a session for each slice", ratio, 20.0)],
    )


def _masks(output_dir: Path) -> list[bytes]:
    """Return the masks of a run."""
    return [path.read_bytes() for path in sorted(output_dir.rglob("*_mask.nii.gz"))]


def workers(backends: Sequence[str]) -> Iterator[Table]:
    """Measure what a second worker brings."""
    size, n_images = Size((64, 192, 160), (1.0, 1.0, 1.0)), 12
    with folder() as place:
        write_phantoms(place / "in", [size] * n_images)
        turns: dict[int, list[Taken]] = {1: [], 2: []}
        for turn in range(2):
            for number, taken in turns.items():
                words = (place / "in", place / f"out{number}{turn}", "participant", *_QUIET)
                limits = ("--n-cpus", number, "--omp-nthreads", 1)
                taken.append(take((ROOT / "run.py", *words, *limits), {"KERAS_BACKEND": backends[0]}))
    runs = {number: min(taken, key=lambda run: run.wall_s) for number, taken in turns.items()}
    ratio = runs[1].wall_s / runs[2].wall_s
    rows = [
        (number, run.wall_s, run.processor_s, 60 * n_images / run.wall_s, run.peak_mib) for number, run in runs.items()
    ]
    yield Table(
        "Workers",
        f"{n_images} T2w phantoms of {' x '.join(map(str, size.shape))} voxels of 1 mm, start and reports included; "
        "one thread for each image; of two runs in turn the quicker one. Only here, the ratio is one of wall "
        "times, which depend on what else the machine does.",
        ("Workers", "Wall time, s", "Processor time, s", "Images per minute", "Peak memory of one process, MiB"),
        rows,
        [Check("times as fast with 2 workers as with 1", ratio, 1.7)],
    )


def participants(_backends: Sequence[str], largest: int) -> Iterator[Table]:
    """Measure runs on many participants who all have a result, and the group level."""
    numbers = (largest // 4, largest // 2, largest)
    with folder() as place:
        write_many(place / "in", largest)
        driver = ("-m", "tests.helpers.driver", "{}", place / "in", place / "out")
        first = take((*driver, "participant", *_QUIET, "--n-cpus", 2, "--omp-nthreads", 1))
        if first.code:
            raise SystemExit(first.text[-2000:])
        repeated = {}
        for number in numbers:
            (place / "labels.txt").write_text("\n".join(f"{label:04d}" for label in range(number)))
            words = () if number == largest else ("--participant-label", place / "labels.txt")
            repeated[number] = _least(lambda words=words: take((*driver, "participant", *_QUIET, *words)))
        group = take((*driver, "group", "-q"))
    slope, intercept, r2 = fit_line(list(repeated), [run.processor_s for run in repeated.values()])
    share = _MANY / largest
    yield Table(
        "Many participants",
        "Participants with one very small image each, segmented without networks before; nothing is to do, and that is "
        f"found out. One more takes {slope * 1e3:.2g} ms; R2 = {r2:.4f}. Where fewer than {_MANY} were measured, the "
        "checks follow the line, and multiply the group level.",
        ("Level", "Participants", "Wall time, s", "Processor time, s", "Peak memory, MiB"),
        [
            *(("participant", n, run.wall_s, run.processor_s, run.peak_mib) for n, run in repeated.items()),
            ("group", largest, group.wall_s, group.processor_s, group.peak_mib),
        ],
        [
            Check(
                f"s of processor time to find nothing to do for {_MANY}", slope * _MANY + intercept, 10, at_least=False
            ),
            Check(f"s of processor time for the group level of {_MANY}", group.processor_s * share, 60, at_least=False),
            # Most of the memory does not grow with participants: it is not extrapolated.
            *(
                [Check(f"MiB for the group level of {_MANY}", group.peak_mib, 1e9 / 2**20, at_least=False)]
                * (share <= 1)
            ),
        ],
    )


def _least(run: Callable[[], Taken]) -> Taken:
    """Return the run with the least processor time of two."""
    return min((run() for _ in range(2)), key=lambda taken: taken.processor_s)


def memory(backends: Sequence[str]) -> Iterator[Table]:
    """Measure an image that is far too large for the memory that is allowed, beside one that is not."""
    with folder() as place:
        write_whole_spine(place / "in")
        write_phantoms(place / "in", (WARM_UP,))
        words = (place / "in", place / "out", "participant", *_QUIET, "--mem", "2G")
        run = take((ROOT / "run.py", *words), threads(1) | {"KERAS_BACKEND": backends[0]})
        n_masks = len(list((place / "out").rglob("*label-SC_desc-T2w_mask.nii.gz")))
    kept = run.peak_mib * 2**20 < 2e9 and (run.code == 0 or (run.code == 75 and n_masks == 1))
    yield Table(
        "A limit of memory",
        "A whole spine of 400 x 400 x 1200 voxels of 0.5 mm with `--mem 2G`, and a small image in the same run.",
        ("Exit code", "Masks written", "Peak memory, MiB"),
        [(run.code, n_masks, run.peak_mib)],
        [Check("within 2 GB, or code 75 with the other image done (1 = yes)", float(kept), 1.0)],
    )


def pools(_backends: Sequence[str]) -> Iterator[Table]:
    """Measure what it costs to start two processes for twelve empty jobs, in turn."""
    ways = ("pool", "loky", "dask")
    runs: dict[str, list[Taken]] = {way: [] for way in ways}
    for _ in range(5):
        for way in ways:
            run = take(("-m", "benchmarks.speed.pools", way))
            if not run.code:
                runs[way].append(run)
    rows = [
        (way, *(statistics.median(values) for values in zip(*((r.processor_s, r.wall_s) for r in each), strict=True)))
        for way, each in runs.items()
        if each
    ]
    yield Table(
        "Engines for one machine",
        "Twelve empty jobs on two processes, five times in turn: medians. What is not installed is left out.",
        ("Engine", "Processor time, s", "Wall time, s"),
        rows,
    )
