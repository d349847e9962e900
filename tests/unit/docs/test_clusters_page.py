"""The recipes for clusters."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

PAGE = (Path(__file__).parents[3] / "docs" / "clusters.md").read_text(encoding="utf-8")
ARRAYS = re.findall(r"<!-- array: (\w+) -->\n```bash\n(.*?)```", PAGE, re.DOTALL)


def test_there_is_an_array_job_for_each_batch_system():
    names = [name for name, _script in ARRAYS]
    assert names == ["SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "SGE_TASK_ID", "LSB_JOBINDEX"]


@pytest.mark.parametrize(("name", "script"), ARRAYS, ids=[name for name, _ in ARRAYS])
def test_an_array_job_runs_the_participant_of_its_number(tmp_path, name, script):
    (tmp_path / "labels.txt").write_text("sub-01\nsub-02\nsub-03\n")
    program = tmp_path / "bids_deepseg"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    environ = os.environ | {name: "2", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eu", "-c", script.replace("/shared/labels.txt", str(tmp_path / "labels.txt"))],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.splitlines()
    assert words[:5] == ["/shared/study", "/shared/study_cord", "participant", "--participant-label", "sub-02"]


def test_the_python_recipe_and_the_manifest_can_be_read():
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(program, "cord.py", "exec")
    (manifest,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    kinds = [part["kind"] for part in yaml.safe_load_all(manifest)]
    assert kinds == ["Service", "Deployment", "Deployment"]
