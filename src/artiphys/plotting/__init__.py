"""Plots of results: ``plot_x(result, *, ax=None) -> Axes``. No global style is touched."""

from artiphys.plotting.contributions import plot_contributions, plot_convergence, plot_head_map
from artiphys.plotting.decoding import (
    plot_cell_types,
    plot_confusion,
    plot_decoding,
    plot_detection,
    plot_generalisation,
    plot_searchlight,
    plot_time_course,
    plot_tuning,
    plot_tuning_map,
)
from artiphys.plotting.style import short

__all__ = [
    "plot_cell_types",
    "plot_confusion",
    "plot_contributions",
    "plot_convergence",
    "plot_decoding",
    "plot_detection",
    "plot_generalisation",
    "plot_head_map",
    "plot_searchlight",
    "plot_time_course",
    "plot_tuning",
    "plot_tuning_map",
    "short",
]
