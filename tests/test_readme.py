"""README's code runs as written, and its command is what CI runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_python_blocks_run_one_after_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    runnable = re.sub(r"<!-- not run -->\n```python\n.*?```", "", README, flags=re.DOTALL)
    blocks = re.findall(r"```python\n(.*?)```", runnable, flags=re.DOTALL)
    assert len(blocks) == 8
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "hidden.0" in capsys.readouterr().out


def test_exactly_two_set_up_commands() -> None:
    assert len(re.findall(r"```bash\n.*?```", README, flags=re.DOTALL)) == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ci_runs_the_readmes_command() -> None:
    line = next(n for n in (ROOT / ".ci/run").read_text().splitlines() if n.startswith("command="))
    done = subprocess.run(
        ["bash", "-c", f'{line}; echo "$command"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install -c constraints.txt" in done.stdout and "python -m pytest" in done.stdout
    assert (ROOT / ".ci/run").stat().st_mode & 0o100
