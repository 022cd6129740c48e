"""Sites that reach the output are told from inert ones."""

from __future__ import annotations

import torch
from fixtures.networks import X, small

import artiphys as ap


def test_a_lesion_upstream_of_another_is_no_inert_site() -> None:
    prep = small()
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion("2", kind="zero")):
        with ap.lesioned(prep, ap.Lesion("1", kind="zero")):
            assert not prep.run(X).outputs.any()
        assert not prep.run(X).outputs.any()
    assert prep.run(X).outputs.any()
