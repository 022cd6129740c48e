"""Calibration: whether intervals cover and tests reject as often as they say, on data whose truth is known.

Read claim, probe_claims, game_claims, result, then runs.
"""

from artiphys.verification.calibration.result import Calibration, Rate
from artiphys.verification.calibration.runs import calibrate

__all__ = ["Calibration", "Rate", "calibrate"]
