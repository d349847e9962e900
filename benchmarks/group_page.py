"""Measure the page of the group level with many images: how long it takes to write, its size, and how fast it is.

Without ``--level``, the page is made of random numbers and opened in Chromium without network. Told are its size, the
script time, layout time and wall time until it is open, and those of sorting it by three columns, of finding rows and
of filtering. The bars: under 60 MB, and under 1 s of script time for opening and for sorting 2,000 images.

With ``--level``, an output folder of as many participants is made from the results of one (real tables, sidecars and
page, with other areas), and the group level is run on it. The bars for 2,000 participants: under 60 s and 1 GB.

usage: python benchmarks/group_page.py [N] [--level]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from playwright.sync_api import sync_playwright

from tests.helpers.browser import FLAGS, find_chromium
from tests.helpers.fake_engine import cord, write_dataset, write_nifti
from tests.helpers.group_pages import random_html

_SORTED = ("verdict", "area", "score")
_METRICS = {"script_s": "ScriptDuration", "layout_s": "LayoutDuration", "task_s": "TaskDuration"}


def measure_page(n_images: int) -> list[dict[str, Any]]:
    """Write a page and use it; return one row per step."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "group.html"
        begin = time.perf_counter()
        path.write_text(random_html(n_images), encoding="utf-8")
        rows: list[dict[str, Any]] = [
            {"step": "write", "wall_s": time.perf_counter() - begin, "megabytes": path.stat().st_size / 1e6}
        ]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS, "--no-sandbox"])
        page = browser.new_context(offline=True, viewport={"width": 1440, "height": 900}).new_page()
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        settled = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

        def step(name: str, action: Any) -> None:
            before = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
            begin = time.perf_counter()
            action()
            page.evaluate(settled)
            wall = time.perf_counter() - begin
            after = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
            first = name == "open"
            rows.append({"step": name, "wall_s": wall} | {
                key: after[metric] - (0 if first else before[metric]) for key, metric in _METRICS.items()
            })  # fmt: skip

        step("open", lambda: page.goto(path.as_uri()))
        for column in _SORTED:
            step(f"sort by {column}", lambda: page.click(f"#images thead .{column} button"))  # noqa: B023 (run at once)
        step("find", lambda: page.fill("input[type=search]", "sub-00 t2w"))
        step("find nothing", lambda: page.fill("input[type=search]", ""))
        step("filter", lambda: page.select_option(".filters select >> nth=0", index=1))
        step("next image", lambda: page.click("[data-move='1']"))
        browser.close()
    return rows


def make_output(folder: Path, n_participants: int) -> Path:
    """Make the output folder of many participants from that of one."""
    data = write_dataset(folder / "in")
    write_nifti(data / "sub-0000" / "anat" / "sub-0000_T2w.nii.gz", cord((64, 64, 60)))
    out = folder / "out"
    words = ["{}", str(data), str(out), "participant", "--skip-bids-validation", "-q"]
    subprocess.run([sys.executable, "-m", "tests.helpers.driver", *words], check=True, stdout=subprocess.DEVNULL)
    texts = {path: path.read_bytes() for path in (out / "sub-0000").rglob("*") if path.is_file()}
    page = (out / "sub-0000.html").read_bytes()
    rng = np.random.default_rng(0)
    sites = ("north", "south", "east", "west")
    people = ["participant_id\tsite\tage\n"]
    for number in range(n_participants):
        label = f"{number:04d}"
        factor = float(rng.normal(1, 0.08))
        for path, content in texts.items():
            other = out / str(path.relative_to(out)).replace("sub-0000", f"sub-{label}")
            other.parent.mkdir(parents=True, exist_ok=True)
            is_text = path.suffix in {".json", ".tsv"}
            renamed = content.replace(b"sub-0000", f"sub-{label}".encode()) if is_text else content
            other.write_bytes(_scaled(path, renamed, factor))
        (out / f"sub-{label}.html").write_bytes(page.replace(b"sub-0000", f"sub-{label}".encode()))
        people.append(f"sub-{label}\t{sites[number % 4]}\t{int(rng.integers(20, 80))}\n")
    (out / "sourcedata").mkdir()
    (out / "sourcedata" / "participants.tsv").write_text("".join(people), encoding="utf-8")
    return out


def _scaled(path: Path, content: bytes, factor: float) -> bytes:
    """Multiply the areas of a table or of a sidecar."""
    if path.name.endswith("_morph.tsv"):
        head, *lines = content.decode().splitlines()
        column = head.split("\t").index("area_mm2")
        rows = [line.split("\t") for line in lines]
        for row in rows:
            row[column] = f"{float(row[column]) * factor:.4f}" if row[column] != "n/a" else "n/a"
        return ("\n".join([head, *("\t".join(row) for row in rows)]) + "\n").encode()
    if path.name.endswith("label-SC_desc-T2w_mask.json"):
        sidecar = json.loads(content)
        sidecar["Measures"]["MeanArea_mm2"] = round(sidecar["Measures"]["MeanArea_mm2"] * factor, 4)
        return json.dumps(sidecar, indent=2).encode()
    return content


def measure_level(n_participants: int) -> dict[str, float]:
    """Run the group level in a process of its own; return time, memory and size of the page."""
    with tempfile.TemporaryDirectory() as name:
        out = make_output(Path(name), n_participants)
        run = Path(__file__).parents[1] / "run.py"
        command = [sys.executable, str(run), str(Path(name) / "in"), str(out), "group", "--skip-bids-validation", "-q"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "wall_s": time.perf_counter() - begin,
            "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            # Of the largest child of all: the run of the participant level is one, too.
            "peak_megabytes": after.ru_maxrss / 1e3,
            "page_megabytes": (out / "group.html").stat().st_size / 1e6,
        }


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int, nargs="?", default=2000)
    parser.add_argument("--level", action="store_true")
    args = parser.parse_args()
    rows = [measure_level(args.n)] if args.level else measure_page(args.n)
    for row in rows:
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    print("load average", os.getloadavg()[0])


if __name__ == "__main__":
    main()
