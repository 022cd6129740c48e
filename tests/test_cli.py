"""The command line says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from artiphys.cli import app


@pytest.mark.parametrize(("options", "message"), [(["--seed", "-1"], "--seed"), (["--out", "FILE"], "is a file")])
def test_command_line_errors(options: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("")
    arguments = [o.replace("FILE", str(tmp_path / "f.txt")) for o in options]
    done = CliRunner().invoke(app, ["examine", "xor", "--out", str(tmp_path / "r"), *arguments])
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output
