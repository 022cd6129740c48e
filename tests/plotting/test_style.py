"""Plots take and return axes."""

from __future__ import annotations

from typing import Any

import artiphys as ap
from artiphys import plotting


def test_plots_take_and_return_axes() -> None:
    from matplotlib.figure import Figure

    toy = ap.toys.load("suppressor")
    prep = ap.wrap(toy)
    game = ap.Game(prep, toy.stimuli[:100], toy.score, prep.players("hidden"), kind="zero")
    single, phi = ap.single_lesions(game), ap.shapley(game)
    rec = ap.record(prep, toy.stimuli[:100], "hidden")["hidden"]
    decoded, tuned = ap.decode(rec, "label", n_permutations=0), ap.tuning_curves(rec, "label")
    draw: list[Any] = [
        lambda ax: plotting.plot_contributions(single, phi, ax=ax),
        lambda ax: plotting.plot_decoding([decoded], ["hidden"], ax=ax),
        lambda ax: plotting.plot_tuning(tuned, ax=ax),
    ]
    for plot in draw:
        ax = Figure().add_subplot()
        assert plot(ax) is ax and ax.get_xlabel() is not None and ax.get_ylabel()
        assert plot(None).figure is not ax.figure
