"""Plots of results: ``plot_x(result, *, ax=None) -> Axes``. No global style is touched.

Read style, contributions, interactions, circuits, edge_circuits, decoding, searchlights, tuning, detection, clustering,
scoreboards, sparsity, calibrations, network_parts, network_subject, unit_steps, wiring, columns,
network_layout, networks, psth, count_models, trajectories, factors, dimensionality, correlations.
"""

from artiphys.plotting.calibrations import plot_calibration
from artiphys.plotting.circuits import plot_circuit, plot_circuit_sizes
from artiphys.plotting.clustering import plot_cell_types
from artiphys.plotting.contributions import plot_contributions, plot_convergence, plot_head_map
from artiphys.plotting.correlations import plot_correlations, plot_fano
from artiphys.plotting.count_models import plot_count_encoding
from artiphys.plotting.decoding import plot_confusion, plot_decoding, plot_generalisation, plot_time_course
from artiphys.plotting.detection import plot_detection
from artiphys.plotting.dimensionality import plot_dimensionality
from artiphys.plotting.factors import plot_mixed_selectivity
from artiphys.plotting.interactions import plot_interactions
from artiphys.plotting.networks import plot_network
from artiphys.plotting.psth import plot_psth, plot_raster
from artiphys.plotting.scoreboards import plot_scoreboard
from artiphys.plotting.searchlights import plot_searchlight
from artiphys.plotting.sparsity import plot_superposition
from artiphys.plotting.style import short
from artiphys.plotting.trajectories import plot_trajectories
from artiphys.plotting.tuning import plot_effects, plot_tuning, plot_tuning_map

__all__ = [
    "plot_calibration",
    "plot_cell_types",
    "plot_circuit",
    "plot_circuit_sizes",
    "plot_confusion",
    "plot_contributions",
    "plot_convergence",
    "plot_correlations",
    "plot_count_encoding",
    "plot_decoding",
    "plot_detection",
    "plot_dimensionality",
    "plot_effects",
    "plot_fano",
    "plot_generalisation",
    "plot_head_map",
    "plot_interactions",
    "plot_mixed_selectivity",
    "plot_network",
    "plot_psth",
    "plot_raster",
    "plot_scoreboard",
    "plot_searchlight",
    "plot_superposition",
    "plot_time_course",
    "plot_trajectories",
    "plot_tuning",
    "plot_tuning_map",
    "short",
]
