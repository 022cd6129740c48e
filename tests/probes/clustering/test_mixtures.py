"""The parts against references: mixtures and k-means of scikit-learn, densities that sum to 1, p-values by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, multivariate_normal
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

from artiphys.probes.clustering.cluster_tests import clusters, tightness
from artiphys.probes.clustering.curves import best_curve
from artiphys.probes.clustering.cuts import best_cut
from artiphys.probes.clustering.mixtures import Mixture, best_mixture, one_gaussian
from artiphys.probes.clustering.valley import valley_p


def test_mixtures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(size=(100, 3)), rng.normal(size=(50, 3)) * [0.5, 2, 1] + [6, 0, 0]]
    mine = best_mixture(x)
    theirs = GaussianMixture(2, n_init=5, random_state=0).fit(x)
    assert len(mine.weights) == 2 and mine.bic == pytest.approx(theirs.bic(x), rel=0.01)
    np.testing.assert_allclose(mine.log_density(x), theirs.score_samples(x), atol=0.8)
    one = one_gaussian(x)
    floor = 0.01 * x.var(axis=0).mean() * np.eye(3)
    expected = multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True) + floor).logpdf(x)
    np.testing.assert_allclose(one.log_density(x), expected, atol=1e-5)


def test_k_means_and_silhouette_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)) + np.repeat([[0, 0, 0], [7, 0, 0], [0, 7, 0]], 30, axis=0)
    labels, inertia = clusters(x, 3, rng)
    assert inertia == pytest.approx(KMeans(3, n_init=5, random_state=0).fit(x).inertia_)
    index, silhouette, stability = tightness(x, range(3, 4), rng)[:, 0]
    assert index == pytest.approx(inertia / ((x - x.mean(axis=0)) ** 2).sum())
    assert silhouette == pytest.approx(silhouette_score(x, labels)) and stability == 1


def test_the_density_of_a_curve_sums_to_one_and_its_angles_are_the_true_ones() -> None:
    rng = np.random.default_rng(0)
    angle = rng.vonmises(0.5, 1, size=200)
    x = np.column_stack([2 + np.cos(angle), np.sin(angle)]) + 0.05 * rng.normal(size=(200, 2))
    curve = best_curve(x)
    assert curve is not None and curve.thickness < 0.1
    grid = np.linspace(-2, 5, 701)
    at = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    assert np.exp(curve.log_density(at)).sum() * 0.01**2 == pytest.approx(1, abs=0.02)
    turned = np.exp(1j * curve.along(x))
    agree = max(abs(np.mean(turned * np.exp(-1j * angle))), abs(np.mean(turned * np.exp(1j * angle))))
    assert agree > 0.99
    assert best_curve(x[:, :1]) is None


def test_the_cut_of_two_gaussians_lies_between_them() -> None:
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0], [6, 0]]), np.stack([np.eye(2)] * 2))
    cut = best_cut(mixture, 100)
    assert abs(cut.line[1]) < 1e-9
    low, high = np.sort(cut.edges[1:3] / cut.line[0])
    assert 0 < low < 3 < high < 6 and cut.promise > 3


def test_the_p_of_a_valley_by_hand() -> None:
    """A tall peak beside the weak side leaves the mid-p of one sum of binomials."""
    counts, widths = np.array([[900, 2, 8], [900, 1, 9]]), np.ones((2, 3))
    widths[:, 2] = 0.8  # of a tail, that falls to this share
    expected = binom.sf(17, 20, 0.8**2 / (0.8**2 + 1)) + 0.5 * binom.pmf(17, 20, 0.8**2 / (0.8**2 + 1))
    assert valley_p(counts, widths, True) == pytest.approx(expected, rel=0.01)
    mirrored = valley_p(counts[:, ::-1], widths[:, ::-1], True)
    assert mirrored == pytest.approx(valley_p(counts, widths, True))
    assert valley_p(counts, widths, False) >= valley_p(counts, widths, True)


@pytest.mark.parametrize(
    ("heights", "limit"), [((1, 1, 1), 0.066), ((2, 1, 1), 0.08), ((3, 2, 1), 0.066), ((20, 1, 0.8), 0.066)]
)
def test_the_p_of_a_valley_holds_its_level_where_there_is_none(heights: tuple[float, ...], limit: float) -> None:
    rng = np.random.default_rng(0)
    share = np.array(heights) / np.sum(heights)
    p = [valley_p(rng.multinomial(200, share, size=2), np.ones((2, 3)), True) for _ in range(600)]
    assert np.mean(np.array(p) <= 0.05) <= limit
    two = [valley_p(rng.multinomial(60, [0.45, 0.1, 0.45], size=2), np.ones((2, 3)), True) for _ in range(50)]
    assert np.mean(np.array(two) <= 0.05) > 0.95
