"""Annotated shapes are checked while the tests run."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from artiphys.lesions.estimators.odd_polynomials import cubic_kernel
from artiphys.stats.intervals import nadeau_bengio
from artiphys.stats.p_values import max_statistic_p_value


def test_wrong_shapes_are_noticed() -> None:
    assert nadeau_bengio(np.ones((2, 5)), 1.0, 4.0).shape == (2,)
    with pytest.raises(TypeCheckError):
        cubic_kernel(np.ones((4, 3)), np.ones((4, 5)), np.ones(3))  # other players
    with pytest.raises(TypeCheckError):
        max_statistic_p_value(np.ones(3), np.ones((10, 4)))
