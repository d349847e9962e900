"""Use the review page as a browser does: ``python review.py OUTPUT_DIR BIDS_DIR CORRECTIONS``, with Python alone.

Starts ``bids_deepseg review``, asks for the page, draws, judges, saves the drawing, runs the image again with it, and
ends the review as Ctrl-C does. Fails if any answer is an error.
"""

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from urllib.request import ProxyHandler, Request, build_opener

#: Bytes before the voxels of a NIfTI file.
_HEADER = 352

#: Pause between questions about the run, and most of them.
_PAUSE_S, _QUESTIONS = 1.0, 600


def main(output_dir: str, bids_dir: str, corrections: str) -> int:
    """Return 0 if everything worked."""
    words = ["bids_deepseg", "review", output_dir, "--bids-dir", bids_dir, "--corrections", corrections]
    words += ["--no-browser", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            use(address_of(server))
        finally:
            server.send_signal(signal.SIGINT)
            sys.stdout.write(server.communicate()[0])
    return server.returncode


def address_of(server: "subprocess.Popen[str]") -> str:
    """Return the address that the server tells."""
    told = []
    for line in server.stdout or ():
        told.append(line)
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise RuntimeError(f"the server told no address: {''.join(told)}")


def use(address: str) -> None:
    """Ask for everything that the page asks for."""
    # Nothing that the machine says of a proxy counts.
    opener = build_opener(ProxyHandler({}))

    def ask(path: str, method: str = "GET", body: bytes | None = None) -> bytes:
        with opener.open(Request(address + path, data=body, method=method), timeout=600) as answer:
            return bytes(answer.read())

    for path in ("", "static/review.js", "static/vendor/niivue.min.js"):
        ask(path)
    image = "api/images/" + json.loads(ask("api/review"))["images"][0]["id"]
    ask(f"{image}/image.nii")
    drawn = gzip.compress(ask(f"{image}/mask.nii")[_HEADER:])
    for how in ("interpolate", "smooth"):
        ask(f"{image}/work?how={how}", "POST", drawn)
    version = json.loads(ask(image))["mask_version"]
    ask(f"{image}/mask?version={version}&author=A", "PUT", drawn)
    judgement = {"mark": "fail", "rank": "2", "comment": "short", "before": {}, "author": "A"}
    ask(f"{image}/judgement", "PUT", json.dumps(judgement).encode())
    job = json.loads(ask(f"{image}/rerun", "POST"))
    for _ in range(_QUESTIONS):
        job = json.loads(ask(f"api/jobs/{job['job']}"))
        if job["code"] is not None:
            break
        time.sleep(_PAUSE_S)
    if job["code"] != 0:
        raise RuntimeError(f"the image was not run again: {job}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
