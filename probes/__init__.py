"""Probes: reading a network's activity. Nothing here writes to a model."""

from artiphys.probes.decoded import Decoding
from artiphys.probes.decoding import decode
from artiphys.probes.searchlight import Searchlight, searchlight
from artiphys.probes.tuning import Tuning, tuning_curves

__all__ = ["Decoding", "Searchlight", "Tuning", "decode", "searchlight", "tuning_curves"]
