"""The examination of the probes: codes whose information is known, and what the naive analysis says of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fixtures.recorded_toys import recorded
from scipy.stats import mannwhitneyu, norm, ttest_ind
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

import artiphys as ap
from artiphys.array_types import Array
from artiphys.errors import StatisticsError
from artiphys.probes import information

# Variance code: the mean says nothing, the size does.


def test_variance_code_is_seen_by_size_and_quadratic_readers_only() -> None:
    x, toy = recorded("variance_code")
    d = ap.detectability(x, "label", n_permutations=200, seed=1)
    assert float(d.p_value[0]) > 0.05 and float(d.p_value[1]) < 0.01  # type: ignore[index]
    low, high = d.interval("auc")
    assert low[0] < 0.5 < high[0] and low[1] < 0.7048 < high[1]
    h = x[:1000, :1]
    y = toy.labels[:1000]
    assert float(ap.decode(h, y, n_permutations=0).score) == pytest.approx(0.5, abs=0.06)
    quadratic = float(ap.decode(h, y, QuadraticDiscriminantAnalysis(), n_permutations=0).score)
    assert quadratic == pytest.approx(toy.truths("accuracy").expected["intact"], abs=0.05)


def test_variance_code_with_unequal_n_is_rejected_by_raw_mean_permutations() -> None:
    """80 trials of sd 1 against 10 of sd 2, equal means: a raw difference rejects .24 at .05.

    Its variance is 1/80 + 4/10, and that of its permutations 120/90 (1/80 + 1/10), so |z| exceeds 1.18.
    """
    naive, ours, detection = [], [], []
    y = np.array([0] * 80 + [1] * 10)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=90) * np.where(y == 1, 2.0, 1.0)
        shuffled = np.stack([rng.permutation(y) for _ in range(99)])
        null = np.abs([x[s == 1].mean() - x[s == 0].mean() for s in shuffled])
        naive.append((np.sum(null >= abs(x[y == 1].mean() - x[y == 0].mean())) + 1) / 100 <= 0.05)
        ours.append(float(ap.tuning_curves(x[:, None], y, n_permutations=99, seed=seed).p_value[0]) <= 0.05)  # type: ignore[index]
        detection.append(float(ap.detectability(x[:, None], y, n_permutations=99, seed=seed).p_value[0]) <= 0.05)  # type: ignore[index]
    assert np.mean(naive) == pytest.approx(0.237, abs=0.09)
    assert 0.01 <= np.mean(ours) <= 0.1 and 0.01 <= np.mean(detection) <= 0.1


# Suppressor: weights are not patterns.


def test_suppressor_weights_and_patterns() -> None:
    x, _ = recorded("suppressor")
    fit = ap.decode(x, "label", "lda", n_permutations=0)
    weights = fit.weights / fit.weights[0]
    np.testing.assert_allclose(weights, [1, -0.9975], atol=0.01)  # by b = n + .1 e: 4 / 4.01
    patterns = fit.patterns / fit.patterns[0]
    np.testing.assert_allclose(patterns, [1, 0], atol=0.1)  # the sampling error of cov(b, s) is .032
    assert float(fit.score) > 0.99
    assert float(ap.decode(x[:, :1], "label", n_permutations=0).score) == pytest.approx(0.691, abs=0.03)
    assert float(ap.detectability(x, "label", n_permutations=0).d_prime[1]) == pytest.approx(0, abs=0.13)


# Decoys: what is read is not what is used.


def test_epiphenomenal_unit_reads_best_and_its_choice_probability_is_within_stimuli() -> None:
    x, toy = recorded("epiphenomenal")
    d = ap.detectability(x, "label", n_permutations=0)
    assert float(d.d_prime[0]) == pytest.approx(20, abs=0.8) and float(d.d_prime[1]) == pytest.approx(1, abs=0.13)
    choice = (ap.wrap(toy).run(toy.stimuli).outputs >= 0).numpy().astype(int)
    pooled = ap.detectability(x, choice, n_permutations=0)
    within = ap.detectability(x, choice, within="label", n_permutations=100)
    # Pooled over s the two peaks at +-1 agree with the choice on .691 of trials, and half of the ties count.
    assert float(pooled.auc[0]) == pytest.approx(0.691, abs=0.03)
    assert float(within.auc[0]) == pytest.approx(0.5, abs=0.04) and float(within.p_value[0]) > 0.02  # type: ignore[index]
    assert float(within.auc[1]) > 0.95  # the unit that is read


def test_gate_is_untuned_but_synergy_and_xor_are_not_decodable_linearly() -> None:
    x, _ = recorded("gate")
    assert float(ap.tuning_curves(x, "label").selectivity()[0]) == 0
    toy = ap.toys.load("synergy")
    inputs = np.repeat(np.asarray(toy.stimuli.inputs), 100, axis=0)
    labels = np.repeat(toy.labels, 100)
    assert float(ap.decode(inputs, labels, "logistic", exchange="trials", n_permutations=0).score) < 0.76


def test_bystander_and_feedback_predict_the_choice() -> None:
    x, toy = recorded("bystander")
    d = ap.detectability(x, "choice", within="stimulus", n_permutations=100)
    low, high = d.interval("auc", 0.999)
    for unit, expected in ((1, 0.7301), (2, 0.9214)):
        assert low[unit] < expected < high[unit]
    assert (d.to_dataframe()["p"] < 0.05).all()
    assert toy.truths("single_lesions", "zero").expected["hidden.2"] == 0


# Grouped trials, memorised types, confounds.


def test_sessions_look_decodable_until_groups_stay_together() -> None:
    split, kept = [], []
    for seed in range(20):
        x, _ = recorded("sessions", n_labellings=1, seed=seed)
        with pytest.raises(StatisticsError, match="groups='day'"):
            ap.decode(x, "label 0", n_permutations=0)
        split.append(float(ap.decode(x, "label 0", exchange="trials", n_permutations=0).score))
        kept.append(float(ap.decode(x, "label 0", groups="day", cv=4, n_permutations=0).score))
    assert np.mean(split) == pytest.approx(0.73, abs=0.04) and np.mean(kept) < 0.58
    # permuting trials calls most of these significant, as if trials were independent
    x, _ = recorded("sessions", n_labellings=8)
    naive = [ap.decode(x, f"label {k}", exchange="trials", n_permutations=39).p_value for k in range(8)]
    assert np.mean(np.array(naive) <= 0.05) > 0.7
    with pytest.raises(StatisticsError, match="groups"):  # what is called a session is not overlooked
        ap.decode(x.rename(day="session"), "label 0", n_permutations=0)


def test_random_expansion_decodes_everything_and_means_nothing() -> None:
    """512 random relu units of 6 bits, 64 patterns: parity is read perfectly, as any labelling is."""
    x, _ = recorded("random_expansion")
    options: dict[str, Any] = {"n_permutations": 0, "alphas": [1.0]}
    fit = ap.decode(x, "parity", control="pattern", n_controls=10, **options)
    assert float(fit.score) > 0.99
    assert float(fit.selectivity()) == pytest.approx(0, abs=0.02)
    apart = ap.decode(x, "parity", groups="pattern", **options)
    assert float(apart.score) < 0.55
    with pytest.raises(StatisticsError, match="control task is undefined"):
        ap.decode(x, "parity", groups="pattern", control="pattern", n_permutations=0)
    first = ap.decode(x, "bit 0", groups="pattern", **options)
    assert float(first.score) > 0.95  # a bit generalises to new patterns


def test_luminance_is_a_confound() -> None:
    """Category raises luminance, and the unit follows luminance only."""
    x, _ = recorded("luminance", n_trials=20_000)
    x = x.isel(unit=[0])
    score = {
        "raw": ap.decode(x, "category", n_permutations=0).score,
        "given luminance": ap.decode(x, "category", confounds="luminance", n_permutations=0).score,
        "measured badly": ap.decode(x, "category", confounds="luminance measured", n_permutations=0).score,
    }
    # d' of 1 / sqrt(1.25); of nothing; of .444 / sqrt(.756), since a slope of 1.25 / 2.25 leaves .444 of luminance
    d_prime = {"raw": 1 / math.sqrt(1.25), "given luminance": 0.0, "measured badly": 0.511}
    for name, d in d_prime.items():
        assert float(score[name]) == pytest.approx(norm.cdf(d / 2), abs=0.011), name
    curves = ap.tuning_curves(x, "category", confounds="luminance measured").curves[0]
    assert float(curves[1] - curves[0]) == pytest.approx(1 - 1.25 / 2.25, abs=0.04)
    mended = ap.tuning_curves(x, "category", confounds="luminance measured", reliability=1.25 / 2.25).curves[0]
    assert float(mended[1] - mended[0]) == pytest.approx(0, abs=0.05)


# Codes over time, dichotomies, distant pairs.


def test_rotating_code_is_no_stable_memory() -> None:
    x, toy = recorded("rotating_code", n_trials=2000)
    y = toy.labels
    each = ap.decode(x, y, n_permutations=0)
    np.testing.assert_allclose(each.score, 0.8413, atol=0.03)  # the naive picture
    cross = ap.decode(x, y, across="time", n_permutations=20)
    assert cross.score.dims == ("train_time", "time")
    np.testing.assert_allclose(np.diag(cross.score), each.score)
    angle = np.linspace(0, np.pi / 2, 10)
    np.testing.assert_allclose(cross.score, norm.cdf(np.cos(angle[:, None] - angle)), atol=0.04)
    assert float(cross.score[0, -1]) == pytest.approx(0.5, abs=0.04)
    assert cross.p_value is not None and float(cross.p_value[0, 0]) < 0.05 < float(cross.p_value[0, -1])


def test_condition_generalisation_of_an_abstract_and_of_a_tangled_code() -> None:
    """A variable on one axis in both contexts generalises; on orthogonal axes it is decoded, and does not."""
    for site, across in (("abstract", 0.97), ("tangled", 0.5)):
        x, toy = recorded("abstract_code", site=site, n_trials=800)
        context = toy.stimuli.conditions["context"].to_numpy()
        score = ap.decode(x, "label", across=context, n_permutations=0).score
        assert score.dims == ("train_condition", "condition")
        assert float(score[0, 0]) > 0.95 and float(score[1, 1]) > 0.95
        assert float(score[0, 1]) == pytest.approx(across, abs=0.08)


def test_mixed_selectivity_adds_dichotomies() -> None:
    """Four conditions have 14 splits that are not trivial; a product term makes the last two linear."""
    mixed, toy = recorded("mixed_selectivity")
    condition = toy.stimuli.conditions["condition"].to_numpy()
    counts = []
    for x in (mixed.isel(unit=[0, 1]), mixed):
        scores = []
        for split in range(1, 15):
            y = (split >> condition) & 1
            scores.append(
                float(ap.decode(x, y, LogisticRegression(C=100.0), n_permutations=0, exchange="trials").score)
            )
        counts.append(int(np.sum(np.array(scores) > 0.95)))
        if len(counts) == 1:  # without the product term, exclusive or and its negation stay out of reach
            assert max(scores[0b0110 - 1], scores[0b1001 - 1]) < 0.8
        alone = [float(ap.decode(x, v, n_permutations=0, exchange="trials").score) for v in ("a", "b")]
        assert min(alone) > 0.99  # each variable looks the same in both
    assert counts == [12, 14]


def test_far_pair_is_found_by_correlation_not_by_windows() -> None:
    x, toy = recorded("far_pair")
    windows = ap.searchlight(x, toy.labels, size=3, n_permutations=0)
    assert float(windows.score.max()) == pytest.approx(0.70, abs=0.05)
    pairs = ap.searchlight(x, toy.labels, "correlation", size=2, n_permutations=100)
    best = pairs.score.to_numpy()
    assert best[10] > 0.99 and best[30] > 0.99
    assert (pairs.p_corrected[[10, 30]] < 0.05).all()  # type: ignore[index]
    (sets,) = pairs.neighbourhoods.values()
    assert set(sets["around 10"]) == {10, 30}


# Counting and clustering.


def test_continuum_and_clusters() -> None:
    quick: dict[str, Any] = {"max_types": 2, "n_null": 40, "progress": False}
    clouds = {
        n: [recorded(n, seed=k)[0].to_numpy().T.astype(float) for k in range(4)] for n in ("continuum", "clusters")
    }
    for seed, (single, double) in enumerate(zip(*clouds.values())):
        one, two = ap.cell_types(single, seed=seed, **quick), ap.cell_types(double, seed=seed, **quick)
        assert one.n_types == 1 and "continuum" in one.verdict
        assert two.n_types == 2
        agree = np.mean(two.labels == np.arange(500) % 2)
        assert max(agree, 1 - agree) == pytest.approx(norm.cdf(2), abs=0.05)
    found = {n: KMeans(2, n_init=4, random_state=0).fit_predict(x[0]) for n, x in clouds.items()}
    silhouettes = [silhouette_score(clouds[n][0], labels) for n, labels in found.items()]
    assert silhouettes == pytest.approx([0.43, 0.38], abs=0.05) and silhouettes[0] > silhouettes[1]
    cloud, labels = clouds["continuum"][0][:, 0], found["continuum"]
    assert ttest_ind(cloud[labels == 0], cloud[labels == 1]).pvalue < 1e-100, "circular test"


def test_three_types_are_counted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 2)) + 8 * np.array([[0, 0], [1, 0], [0, 1]])[np.arange(240) % 3]
    found = ap.cell_types(x, max_types=4, n_null=40, progress=False)
    assert found.n_types == 3
    assert all(len(set(found.labels[np.arange(240) % 3 == c])) == 1 for c in range(3))


@pytest.mark.parametrize(("rate", "piled"), [(1, 0.58), (5, 0.05), (50, 0.0)])
def test_index_pileup(rate: float, piled: float) -> None:
    """Preference is a continuum; the index of few counts piles up at +-1 and looks bimodal."""
    x, toy = recorded("index_pileup", rate=float(rate), n_units=20_000)
    a, b = x.to_numpy()
    keep = a + b > 0
    index = ((a - b) / np.maximum(a + b, 1))[keep]
    assert np.mean(np.abs(index) == 1) == pytest.approx(piled, abs=0.012)
    assert toy.truths("contrast indices").expected["share at +-1"] == pytest.approx(piled, abs=0.006)
    features = np.column_stack([index[:400], np.random.default_rng(0).normal(size=400)])
    if rate == 1:
        with pytest.warns(UserWarning, match="piles up"):
            found = ap.cell_types(features, max_types=2, n_null=19, progress=False)
        assert found.n_types == 1 and "no verdict" in found.verdict
    elif rate == 50:
        assert ap.cell_types(features, max_types=2, n_null=39, progress=False).n_types == 1


# Information and Fisher information.


def confusion(k: int, n: int, right: float, rng: np.random.Generator) -> Array:
    p = np.full((k, k), (1 - right) / (k - 1))
    np.fill_diagonal(p, right)
    return rng.multinomial(n, (p / k).ravel()).reshape(k, k)


def true_bits(k: int, right: float) -> float:
    return math.log2(k) + right * math.log2(right) + (1 - right) * math.log2((1 - right) / (k - 1))


@pytest.mark.parametrize(("right", "bound"), [(1 / 8, 0.02), (0.9, 0.1)])
def test_information_is_unbiased_with_enough_trials(right: float, bound: float) -> None:
    """8 x 8 confusions of 640 trials: truth 0 and 2.25 bits."""
    truth = true_bits(8, right)
    assert truth == pytest.approx(0 if right == 1 / 8 else 2.25, abs=0.01)
    rng = np.random.default_rng(0)
    tables = np.stack([confusion(8, 640, right, rng) for _ in range(500)])
    corrected = information(tables)
    assert abs(float(corrected.bits.mean()) - truth) < bound
    assert float(information(tables, "plugin").bits.mean()) - truth > (0.04 if right == 1 / 8 else 0.01)
    low, high = corrected.interval()
    if right > 0.5:
        assert 0.89 <= float(((low < truth) & (truth < high)).mean()) <= 0.99


def test_information_of_few_trials_warns_and_shuffling_over_corrects() -> None:
    """N = 80: at truth 0 the plug-in says .544 and less the shuffled 0; at 2.25 the one is above, the other below."""
    rng = np.random.default_rng(0)
    for right, plugin, shuffled in ((1 / 8, 0.544, 0.0), (0.9, 2.526, 1.978)):
        tables = np.stack([confusion(8, 80, right, rng) for _ in range(100)])
        assert float(information(tables, "plugin").bits.mean()) == pytest.approx(plugin, abs=0.06)
        with pytest.warns(UserWarning, match="80 trials"):
            assert float(information(tables, "shuffle").bits.mean()) == pytest.approx(shuffled, abs=0.06)


def test_linear_fisher_information() -> None:
    """50 units, 100 trials each: truth 7.23, plug-in 43.41, shuffled 21.86 (the off-diagonal part left out)."""
    step = 0.2
    plugin, corrected, shuffled, covered = [], [], [], []
    for seed in range(400):
        toy = ap.toys.load("fisher_population", n_units=50, n_trials=100, step=step, seed=seed)
        hidden: Any = toy.model.hidden
        d = ap.detectability(hidden(toy.stimuli.inputs).numpy(), toy.labels, n_permutations=0)
        found = d.population()
        plugin.append(found.plugin / step**2)
        corrected.append(found.fisher(step))
        shuffled.append(d.population(shuffled=True).fisher(step))
        low, high = found.interval()
        covered.append(low <= 7.23 * step**2 <= high)
    error = 7.9 / math.sqrt(400)
    assert np.mean(corrected) == pytest.approx(7.23, abs=3.5 * error)
    assert np.std(corrected) == pytest.approx(7.9, rel=0.15)
    assert np.mean(plugin) == pytest.approx(43.41, abs=2)
    assert np.mean(shuffled) == pytest.approx(21.86, abs=2)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_area_is_mann_whitneys_and_equal_variance_gives_phi() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = np.round(rng.normal(size=(60, 5)) + y[:, None], 1)  # with ties
    d = ap.detectability(x, y, n_permutations=0)
    u = [mannwhitneyu(x[y == 1, i], x[y == 0, i]).statistic for i in range(5)]
    np.testing.assert_allclose(d.auc, np.array(u) / 900)
    big = rng.normal(size=(40_000, 1)) + np.arange(40_000)[:, None] % 2
    d = ap.detectability(big, np.arange(40_000) % 2, n_permutations=0)
    assert float(d.auc[0]) == pytest.approx(norm.cdf(1 / math.sqrt(2)), abs=0.01)
    observer = d.at(0.5)
    assert float(observer.d_prime[0]) == pytest.approx(1, abs=0.04)
    assert float(observer.criterion[0]) == pytest.approx(0, abs=0.03)


# Below chance, and what erasure leaves.


def test_leave_one_out_majority_voting_scores_zero() -> None:
    """Without its own trial the other class is the majority: below chance is no signal, and its null is as low."""
    x = np.random.default_rng(0).normal(size=(30, 3))
    y = np.arange(30) % 2
    from sklearn.dummy import DummyClassifier

    fit = ap.decode(x, y, DummyClassifier(), cv=LeaveOneOut(), n_permutations=30)
    assert float(fit.score) == 0.0 and fit.chance == 0.5
    assert float(fit.null_mean) == 0.0 and float(fit.p_value) == 1.0  # type: ignore[arg-type]


def erased(x: Array, y: Array) -> Array:
    """Least-squares concept erasure of two classes (Belrose et al. 2023): the fitted map applied to x."""
    z = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    white, color = vectors / np.sqrt(values) @ vectors.T, vectors * np.sqrt(values) @ vectors.T
    direction = white @ (z.T @ (y - y.mean()))
    direction = direction / np.linalg.norm(direction)
    clean: Array = x - z @ white @ np.outer(direction, direction) @ color
    return clean


@pytest.mark.parametrize(("dims", "quadratic"), [(2, 0.8377), (5, 0.9485)])
def test_erasure_leaves_a_quadratic_residue(dims: int, quadratic: float) -> None:
    """Class sd 3 against 1: after erasure a linear probe says the majority, a quadratic one reads the variance."""
    rng = np.random.default_rng(0)
    n = 4000
    y = np.arange(n) % 2
    x = rng.normal(size=(n, dims)) * np.where(y == 1, 3.0, 1.0)[:, None] + y[:, None]
    clean = erased(x, y)
    assert np.abs(np.cov(clean.T, y)[:-1, -1]).max() < 1e-9
    uneven = np.flatnonzero((y == 0) | (np.arange(n) % 6 != 1))  # 60 / 40, fitted and read on the same trials
    clean = erased(x[uneven], y[uneven])
    probe = (
        LogisticRegression(penalty=None).fit(clean, y[uneven])
        if False
        else LogisticRegression(C=1e6).fit(clean, y[uneven])
    )
    assert probe.score(clean, y[uneven]) == pytest.approx(np.mean(y[uneven] == 0), abs=0.01)
    still = make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=1000))
    spread, toy = recorded("erasure_residue", site="erased", dims=dims)
    assert float(ap.decode(spread, "label", n_permutations=0).score) < 0.62
    best = float(ap.decode(spread, "label", QuadraticDiscriminantAnalysis(), n_permutations=0).score)
    assert best == pytest.approx(quadratic, abs=0.02)
    assert toy.truths("accuracy").expected["intact"] == pytest.approx(quadratic, abs=5e-5)
    assert float(ap.decode(spread, "label", still, n_permutations=0).score) > quadratic - 0.03
    # the toy's eraser is the one that least squares gives
    whole = recorded("erasure_residue", dims=dims)[0].to_numpy().astype(float)
    clean = erased(whole, toy.labels)
    assert np.abs(clean[:, 1:] - whole[:, 1:]).mean() < 0.15 and np.abs(clean[:, 0]).mean() < 0.25


def drifting(seed: int) -> tuple[Array, Array]:
    """Slow activity and a slow label that know nothing of each other, in the order of the trials."""
    rng = np.random.default_rng(seed)
    n, units = 200, 5
    x = np.empty((n, units))
    x[0] = rng.normal(size=units)
    for i in range(1, n):
        x[i] = 0.95 * x[i - 1] + rng.normal(size=units) * math.sqrt(1 - 0.95**2)
    label = (np.arange(n) + rng.integers(40)) // 20 % 2
    return x, label


@pytest.mark.many_runs
def test_slow_drifts_need_shifts() -> None:
    shifted, permuted, tuned = [], [], []
    for seed in range(150):
        x, y = drifting(seed)
        options: dict[str, Any] = {"n_permutations": 39, "seed": seed, "alphas": [1.0]}
        shifted.append(float(ap.decode(x, y, exchange="shift", **options).p_value) <= 0.05)  # type: ignore[arg-type]
        one = x[:, :1]
        tuned.append(float(ap.tuning_curves(one, y, exchange="shift", n_permutations=39, seed=seed).p_value[0]) <= 0.05)  # type: ignore[index]
        if seed < 40:
            with pytest.warns(UserWarning, match="exchange='shift'"):
                wrong = ap.decode(x, y, **options)
            permuted.append(float(wrong.p_value) <= 0.05)  # type: ignore[arg-type]
    assert np.mean(permuted) > 0.5, "permuting single trials finds the drift"
    assert np.mean(shifted) <= 0.12 and np.mean(tuned) <= 0.12
