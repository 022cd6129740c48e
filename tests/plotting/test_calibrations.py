"""The picture of rates beside those that are stated."""

from __future__ import annotations

from artiphys import plotting
from artiphys.verification.calibration import Calibration, Rate


def test_rates_stand_in_three_groups_with_their_marks() -> None:
    rates = (
        Rate("b", "coverage", "x", 0.95, 1000, 1000, 0.0),
        Rate("a", "false positives", "y", 0.05, 200, 1000, 0.0),
        Rate("c", "power", "z", 0.7, 690, 1000, 0.0),
    )
    ax = plotting.plot_calibration(Calibration(rates, 0, "0"))
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["a: false positives, y", "b: coverage, x", "c: power, z"]
    handles, names = ax.get_legend_handles_labels()
    assert names == ["stated", "broken", "conservative", "holds"] and len(handles) == 4
    assert "1,000 data sets" in ax.get_xlabel()
