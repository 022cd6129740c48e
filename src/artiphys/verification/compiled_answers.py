"""What artiphys' own analyses say of programs in transformers, in the keys of their truths."""

from __future__ import annotations

from collections.abc import Mapping

from artiphys.recording import record
from artiphys.verification.methods import Case, Method


def _one_entry(case: Case) -> Mapping[str, float]:
    """Mean over trials of single entries of sites; a key is a site and then the index along each of its axes."""
    asked = {}
    for key in case.truth.expected:
        parts = key.split(".")
        n = next(i for i, part in enumerate(reversed(parts)) if not part.isdigit())
        asked[key] = (".".join(parts[:-n]), tuple(map(int, parts[-n:])))
    sites = list(dict.fromkeys(site for site, _ in asked.values()))
    recording = record(case.prep, case.toy.stimuli, sites, progress=False)
    return {key: float(recording[site][(slice(None), *at)].mean()) for key, (site, at) in asked.items()}


METHODS = (
    Method("attention", _one_entry, lambda toy, truth: truth.analysis == "attention"),
    Method("variables", _one_entry, lambda toy, truth: truth.analysis == "variables"),
)
