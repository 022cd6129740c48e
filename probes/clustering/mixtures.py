"""Gaussian mixtures of two and three components, as the candidates for where one type ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from artiphys.array_types import Array

FORMS = ("full", "tied", "round")  # covariances: one for each component, one for all, one variance for each
MOST = 3  # components: any number of types leaves a cut in two, which three components find
LEAST_VARIANCE = 0.01  # of a component, of the mean variance of the features
LEAST_UNITS = 3.5  # of a component: fewer are no type that could be shown
SHORT, LONG = 4, 25  # steps of every start, and of the best


def log_sum(logs: Array) -> Array:
    """Log of the sum of exponentials in each row."""
    top = logs.max(axis=1)
    total: Array = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    return total


@dataclass(frozen=True)
class Mixture:
    """Weights ``(k,)``, means ``(k, feature)``, covariances ``(k, feature, feature)``, and its BIC (small is good)."""

    weights: Array
    means: Array
    covariances: Array
    bic: float = np.inf

    def parts(self, x: Array) -> Array:
        """Log of weight times density ``(unit, k)``."""
        roots = np.linalg.cholesky(self.covariances)
        white = np.linalg.solve(roots, (x - self.means[:, None]).transpose(0, 2, 1))
        spread = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1) + 0.5 * x.shape[1] * np.log(2 * np.pi)
        logs: Array = np.log(self.weights) - spread - 0.5 * (white**2).sum(axis=1).T
        return logs

    def log_density(self, x: Array) -> Array:
        """Log of the density ``(unit,)``."""
        return log_sum(self.parts(x))


def one_gaussian(x: Array) -> Mixture:
    """The Gaussian of the same mean and covariance."""
    return _maximised(x, np.ones((len(x), 1)), "full")


def best_mixture(x: Array) -> Mixture:
    """The mixture of two or three Gaussians of the smallest BIC.

    Expectation-maximisation starts from hierarchical clusterings: Ward's, which finds types of like size, the same of
    directions made equally wide, which finds long types side by side, and that of mean distances, which splits off
    the rare ones (Fraley & Raftery 2002, Model-based clustering, discriminant
    analysis, and density estimation).
    """
    n, p = x.shape
    white = (x - x.mean(axis=0)) @ np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2].T
    white = white / np.maximum(white.std(axis=0), 1e-9)
    trees = [linkage(x, "ward"), linkage(x, "average"), linkage(white, "ward")]
    found = []
    for k in range(2, MOST + 1):
        starts = [np.eye(k)[fcluster(tree, k, "maxclust") - 1] for tree in trees]
        for form in FORMS:
            if form == "full" and n < 2 * k * (p + 1):
                continue  # more numbers than units can tell
            found.append(_fitted(x, starts, form))
    large = [m for m in found if n * m.weights.min() > LEAST_UNITS]
    if large:
        return min(large, key=lambda m: m.bic)
    return max(found, key=lambda m: float(m.weights.min()))


def _fitted(x: Array, starts: list[Array], form: str) -> Mixture:
    after = [_steps(x, start, form, SHORT) for start in starts]
    likelihood, share = max(after, key=lambda a: a[0])
    likelihood, share = _steps(x, share, form, LONG)
    n, p = x.shape
    k = share.shape[1]
    each = {"full": k * p * (p + 1) / 2, "tied": p * (p + 1) / 2, "round": k}[form]
    mixture = _maximised(x, share, form)
    bic = -2 * likelihood + (k - 1 + k * p + each) * np.log(n)
    return Mixture(mixture.weights, mixture.means, mixture.covariances, float(bic))


def _steps(x: Array, share: Array, form: str, n_steps: int) -> tuple[float, Array]:
    """Log-likelihood and responsibilities ``(unit, k)`` after some steps, fewer where nothing changes."""
    before = -np.inf
    for _ in range(n_steps):
        parts = _maximised(x, share, form).parts(x)
        each = log_sum(parts)
        share, now = np.exp(parts - each[:, None]), float(each.sum())
        if now - before < 1e-3:
            break
        before = now
    return now, share


def _maximised(x: Array, share: Array, form: str) -> Mixture:
    n, p = x.shape
    total = share.sum(axis=0) + 1e-9 * n
    means = share.T @ x / total[:, None]
    floor = (LEAST_VARIANCE * x.var(axis=0).mean() + 1e-9) * np.eye(p)
    apart = x - means[:, None]
    covariances = (apart * share.T[:, :, None]).transpose(0, 2, 1) @ apart / total[:, None, None]
    if form == "round":
        covariances = np.trace(covariances, axis1=1, axis2=2)[:, None, None] / p * np.eye(p)
    elif form == "tied":
        covariances[:] = np.einsum("k,kij->ij", total / total.sum(), covariances)
    covariances = covariances + floor
    return Mixture(total / total.sum(), means, covariances)
