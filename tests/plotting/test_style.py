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


def test_a_dollar_sign_begins_no_formula() -> None:
    import io

    import numpy as np

    odd = "$\\frac{$"
    rng = np.random.default_rng(0)
    labels = np.array(["a$b", odd] * 20)
    activity = rng.normal(size=(40, 3))
    decoded = ap.decode(activity, labels, n_permutations=0, progress=False)
    tuned = ap.tuning_curves(activity, labels, progress=False)
    game = lambda c: c.sum(axis=1) ** 2.0
    values = ap.shapley(game, n_players=2)
    values = type(values)(**{**vars(values), "values": values.values.assign_coords(player=[odd, "a$b"])})
    for ax in (plotting.plot_decoding([decoded], [odd]), plotting.plot_confusion(decoded), plotting.plot_tuning(tuned),
               plotting.plot_contributions(values, values)):  # fmt: skip
        figure: Any = ax.figure
        figure.savefig(io.BytesIO())
