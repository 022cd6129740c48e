"""What artiphys' own analyses say of programs in transformers, in the keys of their truths."""

from __future__ import annotations

from collections.abc import Mapping

from artiphys.recording import record
from artiphys.verification.methods import Case, Method


def _attention(case: Case) -> Mapping[str, float]:
    """Mean over trials of attention from one position to another; keys are site, query and key."""
    asked = {key: key.rsplit(".", 2) for key in case.truth.expected}
    sites = list(dict.fromkeys(site for site, _, _ in asked.values()))
    recording = record(case.prep, case.toy.stimuli, sites, progress=False)
    return {key: float(recording[site][:, int(query), int(at)].mean()) for key, (site, query, at) in asked.items()}


METHODS = (Method("attention", _attention, lambda toy, truth: truth.analysis == "attention"),)
