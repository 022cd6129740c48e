"""Trained again from script and seed, the networks behave as the stored ones do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from artiphys.toys import superposition_sweep
from artiphys.toys.trained import deep_linear as stages
from artiphys.toys.trained.modular_addition_trained import KEY_SHARE, split_by_frequency
from artiphys.toys.trained.stored_weights import parts, read_recipe, read_weights
from artiphys.toys.trained.superposition import dimensionality
from artiphys.toys.trained.tiny_recurrent import decision_variable
from artiphys.toys.trained.tiny_tasks import TASKS
from artiphys.toys.trained.training import deep_linear, modular_addition, superposition, tiny_recurrent

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The matrices are too small for two, and the scripts take one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_superposition() -> None:
    stored = read_weights("superposition")
    for n, m, p in superposition.SMALL[:2]:
        directions, bias = superposition.best_of(n, m, p, seeds=6)
        old = parts(stored, f"n={n} m={m} p={p:g}")
        assert dimensionality(directions.double().numpy()) == pytest.approx(m / n, abs=0.006)
        assert directions.norm(dim=1).mean() == pytest.approx(float(old["directions"].norm(dim=1).mean()), abs=0.01)
        assert bias.mean() == pytest.approx(float(old["bias"].mean()), abs=0.02)


def test_the_sweep() -> None:
    old = superposition_sweep().sel(unit=5, probability=0.1)
    directions, _, error = superposition.train(
        superposition.SWEEP_FEATURES, 5, [0.1] * superposition.SWEEP_SEEDS, superposition.SWEEP_STEPS,
        superposition.SWEEP_BATCH, superposition.SWEEP_RATE, seed=1,
    )  # fmt: skip
    best = directions[int(error.argmin())]
    silent = superposition.SWEEP_FEATURES * 0.1 / 3
    assert float(error.min()) / silent == pytest.approx(float(old["error"]), rel=0.03)
    assert float((best**2).sum()) / 5 == pytest.approx(float(old["squared_length"]), rel=0.1)


@pytest.mark.parametrize(
    ("task", "units", "recurrence"), [("multisensory", 2, "full"), ("multisensory", 2, "diagonal")]
)
def test_tiny_networks(task: str, units: int, recurrence: str) -> None:
    new, share = tiny_recurrent.train(TASKS[task], units, recurrence, steps=3000, seeds=16)
    old = parts(read_weights("tiny_recurrent"), f"{task} {units} {recurrence}")
    x, labels = TASKS[task].draw(20_000, np.random.default_rng(99))

    def right(weights: dict[str, Tensor], intact: tuple[int, ...]) -> float:
        return float(((decision_variable(weights, x, intact) >= 0) == labels).mean())

    every = tuple(range(units))
    assert right(new, every) == pytest.approx(right(old, every), abs=0.015)
    assert share == pytest.approx(right(new, every), abs=0.015), "numpy and torch compute the same network"
    assert read_recipe("tiny_recurrent")[f"{task} {units} {recurrence}"].startswith(f"{right(old, every):.1f}")


def test_modular_addition() -> None:
    old = read_weights("modular_addition")
    new = modular_addition.train(seed=0, steps=8000)
    for weights in (old, new):
        pairs = torch.cartesian_prod(torch.arange(59), torch.arange(59))
        right = modular_addition.logits(pairs, weights).argmax(dim=1) == pairs.sum(dim=1) % 59
        held_out = weights["held_out"].bool()
        assert float(right[~held_out].float().mean()) > 0.99
        assert float(right[held_out].float().mean()) > 0.95, "it generalised"
        waves = split_by_frequency(weights["embedding"].double().numpy())[1:]
        power = (waves**2).sum(axis=(1, 2)) / (waves**2).sum()
        assert 4 <= (power > KEY_SHARE).sum() <= 5, "two dimensions of the embedding for each"
        assert power[power > KEY_SHARE].sum() > 0.85


def test_the_deep_linear_network() -> None:
    old, new = read_weights("deep_linear"), deep_linear.checkpoints(epochs=20_000)
    assert len(new) == 2 * (20_000 // stages.EVERY + 1)
    for name, weights in new.items():
        assert torch.allclose(weights, old[name], atol=1e-5)


def test_the_script_writes_what_it_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "artiphys.toys.trained.training.deep_linear", str(tmp_path)], check=True)
    again, old = read_weights("deep_linear", tmp_path), read_weights("deep_linear")
    assert again.keys() == old.keys() and read_recipe("deep_linear", tmp_path) == read_recipe("deep_linear")
