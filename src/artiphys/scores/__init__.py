"""Scores: behaviour as one value per trial, computed from a network's outputs.

Read score, labels, per_trial, whole_set, then closed_loops.
"""

from artiphys.scores.per_trial import (
    ClosedLoop,
    PerTrial,
    Score,
    accuracy,
    auc,
    closed_loop,
    correlation,
    log_prob,
    logit_difference,
    output,
    several,
)

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
