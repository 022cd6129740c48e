"""The command line: ``artiphys examine`` runs the main job, ``artiphys verify`` examines the methods themselves."""

from __future__ import annotations

import logging
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="In-silico electrophysiology of neural networks.")
DEFAULT = ["xor_redundant", "smollm2-135m"]


class LesionKind(StrEnum):
    """Kinds of lesion that need no further parameter."""

    zero = "zero"
    mean = "mean"
    resample = "resample"


@app.callback()
def main() -> None:
    """In-silico electrophysiology of neural networks."""


@app.command()
def examine(
    names: Annotated[list[str] | None, typer.Argument(help="Toys and specimens; default: " + " ".join(DEFAULT))] = None,
    sites: Annotated[list[str] | None, typer.Option(help="Sites to read: a pattern; may be repeated.")] = None,
    players: Annotated[
        list[str] | None, typer.Option(help="Sites whose units are lesioned: a pattern; may be repeated.")
    ] = None,
    kind: Annotated[LesionKind | None, typer.Option(help="Default: the toy's own, mean for specimens.")] = None,
    budget: Annotated[int, typer.Option(help="Coalitions for the Shapley values.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Seed of permutations and sampling.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("artiphys-report"),
) -> None:
    """Record, map tuning, decode, lesion singly and in combination, and write a report."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from artiphys.errors import ArtiphysError
    from artiphys.report import subjects
    from artiphys.report.examine import examine as run
    from artiphys.report.findings import findings
    from artiphys.report.page import write_report

    started = time.perf_counter()
    chosen = names or DEFAULT
    examined = []
    try:
        if out.exists() and not out.is_dir():
            raise ArtiphysError(f"--out {out} is a file; wanted a folder to write")
        for name in chosen:
            if name not in subjects.names():
                subjects.load(name)  # raises, naming the nearest, before any work is done
        for name in chosen:
            typer.echo(f"{name}: loading")
            subject = subjects.load(name, kind=None if kind is None else kind.value)
            typer.echo(f"{name}: examining")
            examination = run(subject, sites=sites, players=players, budget=budget, seed=seed)
            examined.append(examination)
            typer.echo(_table(examination))
            typer.echo("".join(f"  - {s}\n" for s in findings(examination)))
        options = [f"--sites {s}" for s in sites or []] + [f"--players {p}" for p in players or []]
        options += [] if kind is None else [f"--kind {kind.value}"]
        command = " ".join(["artiphys examine", *chosen, *options, f"--budget {budget}", f"--seed {seed}"])
        path = write_report(examined, out, command, time.perf_counter() - started)
    except ArtiphysError as error:
        typer.echo(f"artiphys: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"artiphys: the report could not be written to {out}: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{time.perf_counter() - started:.0f} s. Report: {path.resolve()} (figures and results.json beside it)")


@app.command()
def verify(
    toys: Annotated[list[str] | None, typer.Argument(help="Toys; default: all.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="A method of artiphys; may be repeated.")] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Compare other methods of the field too.")] = False,
    fresh: Annotated[int, typer.Option(help="New networks of every mechanism, besides the toys.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Peers, and 3 new networks of each mechanism.")] = False,
    seed: Annotated[int, typer.Option(help="Of the new networks.")] = 0,
    picture: Annotated[Path | None, typer.Option(help="Figure to write: methods against mechanisms.")] = None,
    html: Annotated[Path | None, typer.Option(help="Page to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="File to write all scores to.")] = None,
) -> None:
    """Examine artiphys' analyses on toys whose answers are known; exit status 1 if any truth is missed."""
    from artiphys.errors import ArtiphysError
    from artiphys.plotting import plot_scoreboard
    from artiphys.verification import missing_packages
    from artiphys.verification import verify as run

    try:
        _check_files(html, json, picture)
        board = run(
            method or None, toys or None, peers=peers or full, fresh=3 if full and not fresh else fresh, seed=seed
        )
        typer.echo(str(board))  # first: a file that cannot be written loses nothing
        if (peers or full) and (absent := missing_packages()):
            typer.echo(f"Not compared, since these are not installed: {', '.join(absent)}")
        for write, path in ((board.to_html, html), (board.to_json, json)):
            if path is not None:
                write(path)
        if picture is not None:
            _savefig(plot_scoreboard(board), picture)
    except ArtiphysError as error:
        typer.echo(f"artiphys: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"artiphys: the scores could not be written: {error}", err=True)
        raise typer.Exit(2) from error
    if not board.passed:
        raise typer.Exit(1)


@app.command()
def calibrate(
    analyses: Annotated[list[str] | None, typer.Argument(help="Such as decode or shapley; default: all.")] = None,
    runs: Annotated[int, typer.Option(help="Independent data sets for each rate.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the data sets.")] = 0,
    picture: Annotated[Path | None, typer.Option(help="Figure to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="File to write all rates to.")] = None,
) -> None:
    """Measure whether intervals cover and tests reject as often as stated; exit status 1 if a rate is broken."""
    from artiphys.errors import ArtiphysError
    from artiphys.plotting import plot_calibration
    from artiphys.verification import calibrate as run

    try:
        _check_files(json, picture)
        found = run(analyses or None, runs=runs, seed=seed)
        typer.echo(str(found))
        if json is not None:
            found.to_json(json)
        if picture is not None:
            _savefig(plot_calibration(found), picture)
    except ArtiphysError as error:
        typer.echo(f"artiphys: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"artiphys: the rates could not be written: {error}", err=True)
        raise typer.Exit(2) from error
    if not found.passed:
        raise typer.Exit(1)


def _check_files(*paths: Path | None) -> None:
    """Before minutes are spent: files whose folder is not there."""
    from artiphys.errors import InputError

    for path in paths:
        if path is not None and not path.resolve().parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.resolve().parent}")


def _savefig(ax: object, path: Path) -> None:
    from matplotlib.axes import Axes

    from artiphys.errors import InputError

    figure = ax.get_figure(root=True) if isinstance(ax, Axes) else None
    assert figure is not None
    try:
        figure.savefig(path, dpi=200)
    except ValueError as error:  # an ending that is no format
        raise InputError(f"--picture came as {path}: {error}") from error


def _table(examination: object) -> str:
    import numpy as np

    from artiphys.plotting import short
    from artiphys.report.examine import Examination

    assert isinstance(examination, Examination)
    single, phi = examination.singles(), examination.values()
    ends = [r.interval(0.95, examination.over) for r in (single, phi)]
    lines = [f"  {'player':>12}  {'single lesion [95 %]':>28}  {'Shapley value [95 %]':>28}"]
    for i, player in enumerate(phi.values["player"].values):
        cells = [
            f"{float(r.values[i]):+.3f} "
            + ("[not known]" if np.isnan(float(lo[i])) else f"[{float(lo[i]):+.3f}, {float(hi[i]):+.3f}]")
            for r, (lo, hi) in zip((single, phi), ends)
        ]
        lines.append(f"  {short(player):>12}  {cells[0]:>28}  {cells[1]:>28}")
    return "\n".join(lines) + f"\n  ({phi.score}, {examination.subject.kind} lesions, {phi.n_trials} trials)\n"
