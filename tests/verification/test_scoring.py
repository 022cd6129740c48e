"""The board: it is green for artiphys, red for what is wrong, and open to other people's methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import artiphys as ap
from artiphys.cli import app
from artiphys.errors import InputError
from artiphys.verification import answers, method

FEW = ["and", "xor_redundant", "backup", "gate", "null_player", "opposing", "variance_code"]


def leave_one_out(game: ap.Game) -> Any:
    """Each player alone is lesioned."""
    rows = ~np.eye(game.n_players, dtype=bool)
    return game.intact - game(rows)


def by_orders(game: ap.Game) -> Any:
    """Shapley values from all orders, by plain loops."""
    from itertools import permutations

    orders = list(permutations(range(game.n_players)))
    total = np.zeros(game.n_players)
    for order in orders:
        row = np.zeros(game.n_players, dtype=bool)
        for player in order:
            before = game(row[None])[0]
            row[player] = True
            total[player] += game(row[None])[0] - before
    return pd.Series(total / len(orders), index=list(game.player_names))


def test_artiphys_passes_and_says_what_it_cost(tmp_path: Path) -> None:
    board = ap.verify(toys=FEW, progress=False)
    assert board.passed and not board.failures and "truths found" in board.in_words()
    table = board.to_dataframe()
    assert set(table["toy"]) == set(FEW) and (table["seconds"] > 0).all()
    assert {"score", "single_lesions", "shapley", "interactions", "minimal_circuit", "critical_sets",
            "tuning_curves"} <= set(table["method"])  # fmt: skip
    played = table[table["method"] == "shapley"].set_index(["toy", "kind"])["n_evaluations"]
    assert played["xor_redundant", "zero"] == 8, "each method starts from nothing"
    page = board.to_html(tmp_path / "board.html").read_text()
    assert page.count("<tr") > len(table) and page.count('class="wrong"') == 1, "in the key alone"
    kept = json.loads(board.to_json(tmp_path / "board.json").read_text())
    assert kept["passed"] and len(kept["scores"]) == len(table)
    assert board.summary()["truths"].sum() == len(table)


def test_methods_from_outside() -> None:
    assert ap.verify([by_orders], toys=FEW, progress=False).passed
    assert ap.verify(method(leave_one_out, estimates="single_lesions"), toys=FEW, progress=False).passed
    naive = ap.verify({"single lesions": leave_one_out, "orders": by_orders}, toys=["xor_redundant"], progress=False)
    assert {s.method for s in naive.failures} == {"single lesions"}
    assert naive.failures[0].error == pytest.approx(1 / 6, abs=1e-6)

    @method(estimates="minimal circuits")
    def smallest(game: ap.Game) -> Any:
        return ap.minimal_circuit(game, holdout=None, progress=False)

    @method(estimates="minimal circuits", name="everything")
    def everything(game: ap.Game) -> Any:
        return game.player_names

    both = ap.verify([smallest, everything], toys=["xor_redundant", "backup"], progress=False)
    assert {s.method for s in both.failures} == {"everything"} and "wrongly found" in both.failures[0].note

    @method(estimates="d_prime")
    def d_prime(x: Any, labels: Any) -> Any:
        a, b = x[labels == 1], x[labels == 0]
        return (a.mean(0) - b.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / 2)

    assert ap.verify(d_prime, toys="variance_code", progress=False).passed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda game: -by_orders(game), "came as"),
        (lambda game: by_orders(game)[::-1].to_numpy(), "came as"),
        (lambda game: by_orders(game).to_numpy() * np.nan, "NaN"),
        (lambda game: by_orders(game).iloc[1:], "gave nothing for player"),
        (lambda game: by_orders(game).to_numpy()[:2], "wanted 3 numbers"),
        (lambda game: 1 / 0, "ZeroDivisionError"),
        (lambda game: None, "wanted 3 numbers"),
    ],
)
def test_what_is_wrong_turns_red_and_the_others_go_on(wrong: Callable[..., Any], said: str) -> None:
    board = ap.verify({"wrong": wrong, "right": by_orders}, toys=["glove"], progress=False)
    assert {s.method for s in board.failures} == {"wrong"} and not board.passed
    assert said in board.in_words()
    assert all(s.passed for s in board.scores if s.method == "right")


def broken(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, change: Callable[[Any], Any]) -> None:
    monkeypatch.setattr(place, name, change(getattr(place, name)))


SABOTAGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "shapley: sign": lambda m: broken(m, answers, "shapley", lambda f: lambda *a, **k: negative(f(*a, **k))),
    "shapley is single lesions": lambda m: m.setattr(answers, "shapley", lambda g, **k: ap.single_lesions(g)),
    "shapley is banzhaf": lambda m: m.setattr(answers, "shapley", lambda g, **k: ap.banzhaf(g)),
    "single lesions are shapley": lambda m: m.setattr(answers, "single_lesions", lambda g: ap.shapley(g)),
    "interactions of another index": lambda m: broken(
        m, answers, "interactions", lambda f: lambda *a, **k: f(*a, **{**k, "index": "Banzhaf"})
    ),
    "circuit one-sided": lambda m: broken(
        m, answers, "minimal_circuit", lambda f: lambda *a, **k: f(*a, **k, one_sided=True)
    ),
    "circuit too lenient": lambda m: broken(
        m, answers, "minimal_circuit", lambda f: lambda *a, **k: f(*a, **k, faithfulness=0.4)
    ),
    "critical sets of what is left": lambda m: broken(
        m, answers, "critical_sets", lambda f: lambda *a, **k: f(*a, **{**k, "residual": 1 - k["residual"] / 2})
    ),
    "lesion not applied": lambda m: broken(
        m, ap.Game, "__call__", lambda f: lambda self, rows: f(self, np.ones_like(rows))
    ),
    "coalitions inverted": lambda m: broken(m, ap.Game, "__call__", lambda f: lambda self, rows: f(self, ~rows)),
    "players shifted by one": lambda m: broken(
        m, ap.Game, "__call__", lambda f: lambda self, rows: f(self, np.roll(rows, 1, axis=1))
    ),
    "selectivity of other labels": lambda m: broken(
        m, answers, "tuning_curves", lambda f: lambda x, labels: f(x, np.arange(len(labels)) // (len(labels) // 2))
    ),
    "d' of other trials": lambda m: broken(
        m, answers, "detectability", lambda f: lambda x, labels, **k: f(x, np.roll(labels, 1), **k)
    ),
    "d' against the other class": lambda m: broken(
        m, answers, "detectability", lambda f: lambda x, labels, **k: f(x, 1 - np.asarray(labels), **k)
    ),
    "recording of the next unit": lambda m: broken(
        m, answers, "record", lambda f: lambda p, x, sites, **k: {s: a.roll(unit=1) for s, a in rows(f, p, x, sites)}
    ),
}


def rows(f: Callable[..., Any], prep: Any, stimuli: Any, sites: Any) -> Any:
    recording = f(prep, stimuli, sites, progress=False)
    return [(site, recording[site]) for site in sites]


def negative(found: ap.Attribution) -> ap.Attribution:
    from dataclasses import replace

    return replace(found, values=-found.values)


@pytest.mark.parametrize("name", list(SABOTAGES))
def test_the_board_turns_red(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    toys = ["majority3", "parity3", "opposing", "greedy_trap", "xor_redundant", "backup", "gate", "variance_code"]
    assert ap.verify(toys=toys, progress=False).passed
    SABOTAGES[name](monkeypatch)
    board = ap.verify(toys=toys, progress=False)
    assert not board.passed, "survived"
    assert len(board.failures) < len(board.scores)


def test_bad_requests_and_interrupts() -> None:
    with pytest.raises(InputError, match="shapley"):
        ap.verify("shaply", progress=False)
    with pytest.raises(InputError, match="xor"):
        ap.verify(toys="xro", progress=False)
    with pytest.raises(InputError, match="came empty"):
        ap.verify([], progress=False)
    with pytest.raises(InputError, match="came empty"):
        ap.verify(toys=[], progress=False)
    with pytest.raises(InputError, match="different names"):
        ap.verify([by_orders, by_orders], toys="xor", progress=False)
    with pytest.raises(InputError, match="claimed by selectivity"):
        ap.verify(method(lambda x, y: x, estimates="selectivity", name="selectivity"), toys="xor", progress=False)
    with pytest.warns(UserWarning, match="claimed by tuning_curves: not examined"):
        assert ap.verify(["tuning_curves", "shapley"], toys="xor", progress=False).passed
    with pytest.raises(InputError, match="estimates came as"):
        method(by_orders, estimates="shap")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="wanted a function"):
        method(3)  # type: ignore[call-overload]

    def interrupted(game: ap.Game) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ap.verify(interrupted, toys="xor", progress=False)


def test_a_method_cannot_spoil_the_toy_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that a method changes are not the next one's."""

    def spoils(game: ap.Game) -> Any:
        model: Any = game.prep.model
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
        return by_orders(game)

    board = ap.verify({"spoils": spoils, "right": by_orders}, toys=["xor_redundant"], progress=False)
    assert all(s.passed for s in board.scores if s.method == "right")


def test_full_adds_peers_and_new_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the options ask for; the examination itself takes minutes."""
    asked: list[dict[str, Any]] = []
    board = ap.verify("shapley", "xor", progress=False)

    def examine(*args: Any, **options: Any) -> ap.Scoreboard:
        asked.append(options)
        return board

    monkeypatch.setattr("artiphys.verification.verify", examine)
    for options in (["--full"], ["--full", "--fresh", "7", "--seed", "4"], ["--peers"], []):
        assert CliRunner().invoke(app, ["verify", *options]).exit_code == 0
    assert [(a["peers"], a["fresh"], a["seed"]) for a in asked] == [
        (True, 3, 0), (True, 7, 4), (True, 0, 0), (False, 0, 0)
    ]  # fmt: skip


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["--html", str(tmp_path / "b.html"), "--json", str(tmp_path / "b.json")]
    done = CliRunner().invoke(app, ["verify", "xor", "backup", "--method", "shapley", *files])
    assert done.exit_code == 0 and "truths found" in done.output and (tmp_path / "b.html").exists()
    assert json.loads((tmp_path / "b.json").read_text())["passed"]
    assert CliRunner().invoke(app, ["verify", "xro"]).exit_code == 2
    assert CliRunner().invoke(app, ["verify", "xor", "--fresh", "-1"]).exit_code == 2
    assert CliRunner().invoke(app, ["verify", "xor", "--json", str(tmp_path / "no" / "b.json")]).exit_code == 2
    more = ["--peers", "--fresh", "0", "--picture", str(tmp_path / "b.png")]
    done = CliRunner().invoke(app, ["verify", "xor_redundant", "dictator", "--method", "minimal_circuit", *more])
    assert done.exit_code == 0 and "single lesions, ranked" in done.output and "ROC AUC" in done.output, done.output
    assert (tmp_path / "b.png").stat().st_size > 5000
    assert CliRunner().invoke(app, ["verify", "xor", "--method", "shapley", *more[-2:]]).exit_code == 2
    SABOTAGES["shapley: sign"](monkeypatch)
    failed = CliRunner().invoke(app, ["verify", "xor"])
    assert failed.exit_code == 1 and "came as" in failed.output
