"""Verification: methods of analysis examined on networks whose answers are known.

Read methods (what is examined), answer_forms and decorator (how others enter theirs), circuit_measures, answers (what
artiphys' own analyses say; of some toys in reading_answers, dynamics_answers, trained_answers and compiled_answers),
peers (other methods of the field), result (the board), toy_checks and kept_state (what a method may not spoil),
scoring (the examination), and calibration (error bars).
"""

from artiphys.verification.calibration import Calibration, calibrate
from artiphys.verification.circuit_measures import CircuitMeasures
from artiphys.verification.decorator import method
from artiphys.verification.methods import InapplicableError, Method
from artiphys.verification.peers import missing_packages, peer_methods
from artiphys.verification.result import Scoreboard
from artiphys.verification.scoring import verify

__all__ = [
    "Calibration",
    "CircuitMeasures",
    "InapplicableError",
    "Method",
    "Scoreboard",
    "calibrate",
    "method",
    "missing_packages",
    "peer_methods",
    "verify",
]
