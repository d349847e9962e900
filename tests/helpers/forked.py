"""Run the command line many times in forked processes, none of which has to load the program again.

``python -m tests.helpers.forked SCRATCH < request`` reads ``{"parallel": n, "chains": [[step, ...], ...]}``. The steps
of a chain run one after the other, up to ``parallel`` chains at the same time. A step has the ``words`` of the command
line and possibly ``kill_at`` (number of the file operation in the output folder before which the process is killed) or
``kill_after_s``. Printed is one list for each chain, with code, number of file operations and seconds of each step.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Audit events of operations on files that can be seen afterwards.
_OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.utime"})


def _watch(folder: str, kill_at: int | None, report: Path) -> None:
    """Count the operations on files below a folder, and kill this process before one of them."""
    count = 0

    def hook(event, arguments):
        nonlocal count
        if event in _OPERATIONS and str(arguments[0]).startswith(folder):
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            os.pwrite(descriptor, b"%9d" % count, 0)

    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT)
    sys.addaudithook(hook)


def _run(step: dict, report: Path) -> int:
    """Run one command line; only called in a forked process."""
    from bids_deepseg.cli import main as cli  # noqa: PLC0415
    from tests.helpers.fake_engine import FakeEngine  # noqa: PLC0415

    log = os.open(report.with_suffix(".log"), os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    _watch(step["words"][1], step.get("kill_at"), report)
    code = cli.main(step["words"], engine=FakeEngine())
    sys.stdout.flush()
    return code


def _fork(step: dict, report: Path) -> int:
    """Start one command line and return its process."""
    process = os.fork()
    if process:
        return process
    code = 99
    with suppress(BaseException):
        try:
            code = _run(step, report)
        except BaseException:
            traceback.print_exc()
    os._exit(code)


def _advance(chain: list[dict], scratch: Path) -> Iterator[tuple[int, float, float]]:
    """Start the steps of a chain one after the other; yields process, time of its start and time of its death."""
    for number, step in enumerate(chain):
        begin = time.monotonic()
        yield _fork(step, scratch / str(number)), begin, begin + step.get("kill_after_s", 600)


def _run_all(chains: list[list[dict]], parallel: int, scratch: Path) -> list[list[tuple[int, int, float]]]:
    """Run all chains."""
    results: list[list[tuple[int, int, float]]] = [[] for _ in chains]
    waiting, active = list(range(len(chains))), {}
    while waiting or active:
        while waiting and len(active) < parallel:
            number = waiting.pop(0)
            folder = scratch / str(number)
            folder.mkdir()
            steps = _advance(chains[number], folder)
            active[number] = (steps, *next(steps))
        for number, (steps, process, begin, deadline) in list(active.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                if time.monotonic() > deadline:
                    os.kill(process, signal.SIGKILL)
                continue
            report = scratch / str(number) / str(len(results[number]))
            count = int(report.read_text() or 0) if report.exists() else 0
            results[number].append((os.waitstatus_to_exitcode(status), count, time.monotonic() - begin))
            following = next(steps, None)
            if following is None:
                del active[number]
            else:
                active[number] = (steps, *following)
        time.sleep(0.002)
    return results


def main() -> None:
    """Load the program once, then run what is asked for."""
    from bids.layout import Config  # noqa: PLC0415

    import bids_deepseg.app.run  # noqa: F401, PLC0415
    import tests.helpers.fake_engine  # noqa: F401, PLC0415

    Config.load("bids")
    request = json.loads(sys.stdin.read())
    print(json.dumps(_run_all(request["chains"], request["parallel"], Path(sys.argv[1]))))  # noqa: T201


if __name__ == "__main__":
    main()
