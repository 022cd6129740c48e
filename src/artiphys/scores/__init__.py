"""Scores: behaviour as one value per trial, computed from a network's outputs.

Read score, outputs_and_targets, per_trial, whole_set, then closed_loops.
"""

from artiphys.scores.closed_loops import ClosedLoop, closed_loop
from artiphys.scores.outputs_and_targets import PerTrial
from artiphys.scores.per_trial import accuracy, log_prob, logit_difference, output, several
from artiphys.scores.score import Score
from artiphys.scores.whole_set import auc, correlation

__all__ = [
    "ClosedLoop",
    "PerTrial",
    "Score",
    "accuracy",
    "auc",
    "closed_loop",
    "correlation",
    "log_prob",
    "logit_difference",
    "output",
    "several",
]
