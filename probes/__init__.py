"""Probes: reading a network's activity. Nothing here writes to a model."""

from artiphys.probes.decoding import Decoding, decode
from artiphys.probes.tuning import Tuning, tuning_curves

__all__ = ["Decoding", "Tuning", "decode", "tuning_curves"]
