"""Probes: reading a network's activity. Nothing here writes to a model.

Read data, readers and mutual_information; then the analyses: decoding, searchlights, tuning, detection, clustering,
peristimulus, count_models, projections, factors, dimensions, covariability.
"""

from artiphys.probes.clustering.cell_types import cell_types
from artiphys.probes.clustering.result import CellTypes
from artiphys.probes.count_models.encode_counts import encode_counts
from artiphys.probes.count_models.result import CountEncoding
from artiphys.probes.covariability.correlations import correlations
from artiphys.probes.covariability.result import Correlations
from artiphys.probes.decoding.decode import decode
from artiphys.probes.decoding.result import Decoding
from artiphys.probes.decoding.transfer import Transfer
from artiphys.probes.detection.detectability import detectability
from artiphys.probes.detection.population import Population
from artiphys.probes.detection.result import Detection
from artiphys.probes.detection.signal_detection import SignalDetection, signal_detection
from artiphys.probes.dimensions.dimensionality import dimensionality
from artiphys.probes.dimensions.result import Dimensionality
from artiphys.probes.factors.mixed_selectivity import mixed_selectivity
from artiphys.probes.factors.result import MixedSelectivity
from artiphys.probes.mutual_information.tables import Information, information
from artiphys.probes.peristimulus.psth import psth
from artiphys.probes.peristimulus.result import Psth
from artiphys.probes.projections.components import components
from artiphys.probes.projections.result import Components
from artiphys.probes.searchlights.neighbourhoods import neighbourhoods
from artiphys.probes.searchlights.result import Searchlight
from artiphys.probes.searchlights.searchlight import searchlight
from artiphys.probes.tuning.result import Tuning
from artiphys.probes.tuning.tuning_curves import tuning_curves

__all__ = [
    "CellTypes",
    "Components",
    "Correlations",
    "CountEncoding",
    "Decoding",
    "Detection",
    "Dimensionality",
    "Information",
    "MixedSelectivity",
    "Population",
    "Psth",
    "Searchlight",
    "SignalDetection",
    "Transfer",
    "Tuning",
    "cell_types",
    "components",
    "correlations",
    "decode",
    "detectability",
    "dimensionality",
    "encode_counts",
    "information",
    "mixed_selectivity",
    "neighbourhoods",
    "psth",
    "searchlight",
    "signal_detection",
    "tuning_curves",
]
