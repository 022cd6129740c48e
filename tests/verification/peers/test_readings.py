"""Readings against independent references."""

from __future__ import annotations

import numpy as np
import pytest

import artiphys as ap
from artiphys.verification.peers import readings


def test_discriminability_and_correlation() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = rng.normal(size=(400, 5)) + y[:, None] * np.array([0, 0.5, -1, 2, 0])
    x[:, 4] = 3.0
    own = np.abs(ap.detectability(x[:, :4], y, n_permutations=0).d_prime.to_numpy())
    found = readings.discriminability(x, y)
    assert found[:4] == pytest.approx(own, rel=0.02) and found[4] == 0
    reference = [abs(np.corrcoef(x[:, i], y)[0, 1]) for i in range(4)]
    assert readings.correlation(x, y) == pytest.approx([*reference, 0])
    assert readings.probe_weights(x, y).argmax() == 3
    x[:, 4] = y
    assert readings.discriminability(x, y).argmax() == 4, "a unit without noise comes first"


def test_selectivity_of_rectified_rates() -> None:
    y = np.array([0, 0, 1, 1])
    x = np.array([[1.0, 2, -1, 0], [3, 2, -1, 0], [6, 2, 1, 0], [6, 2, 1, 0]])
    assert readings.selectivity(x, y) == pytest.approx([0.5, 0, 1, 0])


def test_silhouettes_always_find_types_and_brain_scores_do_not_ask_why() -> None:
    board = ap.verify(["k-means by silhouette", "brain score"], ["continuum", "clusters", "letters_and_phonemes"],
                      progress=False)  # fmt: skip
    found = {(s.toy, s.analysis): s.passed for s in board.scores}
    assert found == {
        ("continuum", "cell types"): False, ("clusters", "cell types"): True,
        ("letters_and_phonemes", "prediction"): True, ("letters_and_phonemes", "prediction given phonemes"): False,
        ("letters_and_phonemes", "prediction given letters"): False,
    }  # fmt: skip
    assert not board.failures, "peers are compared only"
