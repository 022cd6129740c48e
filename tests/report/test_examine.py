"""The main job on toys: what it writes, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import artiphys as ap
from artiphys.cli import app
from artiphys.errors import BudgetError
from artiphys.report import subjects
from artiphys.report.examine import examine
from artiphys.report.findings import findings
from artiphys.report.small_print import caveats, insignificant, methods, truth_table

ROOT = Path(__file__).parents[2]


def test_command_writes_a_report_that_stands_alone(tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = CliRunner().invoke(app, ["examine", "xor_redundant", "gate", "--out", str(out), "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert "Single lesions miss hidden.0" in done.output and str(out) in done.output.replace("\n", "")
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list(out.glob("*.png"))) == 8
    assert "src='http" not in page and "<script" not in page and "agrees" in page and "NO<" not in page
    for key in ("What was not significant", "What cannot be concluded", "Methods", "Cost"):
        assert page.count(key) >= 2
    numbers = json.loads((out / "results.json").read_text())
    assert [n["name"] for n in numbers] == ["xor_redundant", "gate"] and numbers[0]["seed"] == 3
    assert numbers[0]["shapley"]["values"]["hidden.0"] == pytest.approx(1 / 6)
    assert numbers[0]["single_lesions"]["values"]["hidden.0"] == 0


@pytest.mark.parametrize("name", ap.toys.names())
def test_every_toy_can_be_examined(name: str) -> None:
    found = examine(subjects.load(name), progress=False)
    said = findings(found)
    assert len(said) >= 4 and "zero lesions" in said[0]
    truth = truth_table(found)
    assert (truth is None) == (found.screening is not None)
    assert truth is None or set(truth["agrees"]) == {"yes"}
    assert "circuit" in " ".join(said)
    assert methods(found) and caveats(found) and list(insignificant(found).columns)


def test_words_on_the_redundant_pair_and_the_backup() -> None:
    xor = " ".join(findings(examine(subjects.load("xor_redundant"), progress=False)))
    assert "Single lesions miss hidden.0 (alone 0, Shapley 0.167), hidden.1" in xor
    assert "hidden.0 and hidden.1 cost 0.5; alone they cost 0 in sum" in xor and "stand in for each other" in xor
    backup = " ".join(findings(examine(subjects.load("backup"), progress=False)))
    assert "Single lesions miss a.0" in backup and "b.0" in backup
    synergy = " ".join(findings(examine(subjects.load("synergy"), progress=False)))
    assert "each matters less once the other is gone" in synergy


def test_screening_where_the_game_does_not_fit() -> None:
    """A budget of 8 holds all coalitions of three players, so three of six are kept."""
    subject = subjects.load("suppressor")
    found = examine(subject, players=["hidden", "input"], budget=8, progress=False)
    assert found.screening is not None and found.n_players == 6 and len(found.values().values) == 3
    assert found.values().exact and "screened by single lesions" in " ".join(findings(found))
    assert "stayed intact" in caveats(found)


def test_kind_is_honoured(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["examine", "backup", "--kind", "mean", "--out", str(tmp_path)])
    assert done.exit_code == 0 and "mean lesions" in done.output and "+0.000" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xor_redundent"], "did you mean 'xor_redundant'"),
        (["xor", "--budget", "2"], "two players have 4 coalitions"),
        (["xor", "--sites", "hiden"], "did you mean 'hidden'"),
        (["xor", "--players", "nothing"], "no site 'nothing'"),
    ],
)
def test_bad_arguments_exit_with_advice(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["examine", *arguments, "--out", str(tmp_path / "r")])
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output
    assert not (tmp_path / "r").exists()


def test_budget_below_two_players() -> None:
    with pytest.raises(BudgetError):
        examine(subjects.load("xor"), budget=3)


def test_other_players_than_the_toys_own_are_not_held_against_its_truth(tmp_path: Path) -> None:
    for options in (["--players", "input"], ["--budget", "4"]):
        done = CliRunner().invoke(app, ["examine", "xor_redundant", *options, "--out", str(tmp_path)])
        assert done.exit_code == 0, done.output
        page = (tmp_path / "report.html").read_text()
        assert "Against the known truth" not in page and " ".join(options) in page


def test_screening_says_on_which_trials() -> None:
    """Sampled toys are split; where the trials are all there are, nothing is held out and none is claimed."""
    sampled = examine(subjects.load("suppressor"), players=["hidden", "input"], budget=8, progress=False)
    assert sampled.screening is not None and sampled.screening.n_trials == sampled.values().n_trials == 2000
    first = sampled.subject.first_half()
    assert first.sum() == 2000 and len(first) == 4000
    assert "2000 other trials" in " ".join(findings(sampled)) and "2000 other trials" in methods(sampled)
    whole = examine(subjects.load("xor_redundant"), budget=4, progress=False)
    text = " ".join(findings(whole)) + methods(whole)
    assert "other trials" not in text and text.count("the same trials, which are all there are") == 2
    assert examine(subjects.load("suppressor"), progress=False).values().n_trials == 4000
    assert subjects.load("induction_head").first_half().tolist().count(True) == 4
