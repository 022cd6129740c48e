"""Probes: reading a network's activity. Nothing here writes to a model."""

from artiphys.probes.celltypes import CellTypes, cell_types
from artiphys.probes.decoded import Decoding
from artiphys.probes.decoding import decode
from artiphys.probes.detected import Detection
from artiphys.probes.detection import detectability
from artiphys.probes.information import Information, information
from artiphys.probes.neighbourhoods import neighbourhoods
from artiphys.probes.population import Population
from artiphys.probes.searchlight import Searchlight, searchlight
from artiphys.probes.signal_detection import SignalDetection, signal_detection
from artiphys.probes.transfer import Transfer
from artiphys.probes.tuned import Tuning
from artiphys.probes.tuning import tuning_curves

__all__ = [
    "CellTypes",
    "Decoding",
    "Detection",
    "Information",
    "Population",
    "Searchlight",
    "SignalDetection",
    "Transfer",
    "Tuning",
    "cell_types",
    "decode",
    "detectability",
    "information",
    "neighbourhoods",
    "searchlight",
    "signal_detection",
    "tuning_curves",
]
