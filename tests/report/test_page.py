"""The report page: names are text on it, whatever they hold."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

import artiphys as ap
from artiphys.report.examine import examine
from artiphys.report.page import write_report
from artiphys.report.subjects import Subject

MARKUP = "<b>bold</b>&<script>alert('x')</script>"


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def subject() -> Subject:
    """A network whose site and label hold markup, as a user's own names may."""
    torch.manual_seed(0)
    net = torch.nn.Sequential()
    net.add_module("a<b>", torch.nn.Linear(3, 2))
    net.add_module("out", torch.nn.Linear(2, 1))
    x = torch.randn(40, 3)
    condition = np.arange(40) % 2
    stimuli = ap.Stimuli(x, conditions={MARKUP: condition})
    return Subject(
        name="mark&up", task=f"tells {MARKUP}", prep=ap.wrap(net), reading=stimuli, lesioning=stimuli, label=MARKUP,
        layers=("a<b>",), players=("a<b>",), grouped=False, score=ap.scores.output(), kind="zero", noise=0.1,
        exhaustive=False, circular=None, toy=None,
    )  # fmt: skip


def test_names_with_markup_are_text(subject: Subject, tmp_path: Path) -> None:
    page = Tags(write_report([examine(subject, progress=False)], tmp_path, f"examine {MARKUP}", 1.0).read_text())
    assert page.tags.isdisjoint({"b", "script"})
    assert page.text.count(MARKUP) >= 3 and "a<b>" in page.text and "mark&up" in page.text


def test_captions_do_not_leave_their_attribute(subject: Subject, tmp_path: Path) -> None:
    quoted = dataclasses.replace(subject, label='" onerror="x')
    stimuli = ap.Stimuli(
        subject.reading.inputs,
        conditions={'" onerror="x': subject.reading.conditions[MARKUP].to_numpy()},
    )
    quoted = dataclasses.replace(quoted, reading=stimuli, lesioning=stimuli)
    page = write_report([examine(quoted, progress=False)], tmp_path, "examine", 1.0).read_text()
    assert 'alt="' in page and ' onerror="x' not in page


def test_names_that_look_like_formulas_or_paths_are_names(subject: Subject, tmp_path: Path) -> None:
    odd = "$\\frac{$"
    stimuli = ap.Stimuli(subject.reading.inputs, {odd: subject.reading.conditions[MARKUP].to_numpy()})
    named = dataclasses.replace(subject, name=f"../../{odd}", label=odd, reading=stimuli, lesioning=stimuli)
    out = tmp_path / "a" / "b" / "out"
    write_report([examine(named, progress=False)], out, "examine", 1.0)
    files = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert files and all(p.parent == out for p in files)
