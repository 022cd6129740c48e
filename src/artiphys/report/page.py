"""The report of `artiphys examine`: figures, one self-contained page, and the numbers as JSON."""

from __future__ import annotations

import base64
import io
import json
import textwrap
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from artiphys import plotting
from artiphys.lesions import Attribution
from artiphys.probes import Decoding
from artiphys.report.examine import ALPHA, N_PERMUTATIONS, Examination
from artiphys.report.findings import findings, tuned_share
from artiphys.report.small_print import caveats, insignificant, methods, truth_table
from artiphys.stats.text import span

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_report(examined: Sequence[Examination], out: Path, command: str, seconds: float) -> Path:
    """Write ``report.html``, the figures as PNG and ``results.json`` into a folder; gives the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    cost = "; ".join(f"{f.subject.name} {sum(f.seconds.values()):.0f} s, {f.evaluations} coalitions" for f in examined)
    # Names of sites, labels and models are text, never markup.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(resources.files("artiphys.report").joinpath("page.html").read_text("utf-8"))
    sections = [_section(found, out) for found in examined]
    page = template.render(command=command, seconds=seconds, cost=cost, sections=sections)
    (out / "results.json").write_text(json.dumps([results(f) for f in examined], indent=1))
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def results(found: Examination) -> dict[str, Any]:
    """Every number of an examination, as plain values."""
    return {
        "name": found.subject.name,
        "seed": found.seed,
        "lesion_kind": found.subject.kind,
        "findings": findings(found),
        "single_lesions": _numbers(found.single, found),
        "shapley": _numbers(found.shapley, found),
        "screening": _numbers(found.screening, found),
        "all_players_lesioned": found.all_lesioned,
        "pairs": found.pairs.to_dict("records"),
        "decoding": [_decoded(s, d) for s, d in zip(found.read_sites, found.decodings)],
        "tuned_share": {s: tuned_share(t) for s, t in zip(found.read_sites, found.tunings)},
        "seconds": found.seconds,
        "evaluations": found.evaluations,
    }


def _numbers(result: Attribution | None, found: Examination) -> dict[str, Any] | None:
    if result is None:
        return None
    plain = ("intact", "lesioned", "n_evaluations", "exact", "method", "why", "kind", "n_trials", "score", "unit")
    columns = {name: _column(getattr(result, name)) for name in ("values", "stderr", "stderr_stimuli")}
    ends = [_column(end) for end in result.interval(1 - ALPHA, found.over)]
    return {**columns, "interval": ends, "interval_over": found.over} | {n: getattr(result, n) for n in plain}


def _decoded(site: str, d: Decoding) -> dict[str, Any]:
    return {
        "site": site,
        "score": float(d.score),
        "stderr": float(d.stderr),
        "chance": d.chance,
        "metric": d.metric,
        "null_mean": None if d.null_mean is None else float(d.null_mean),
        "p": None if d.p_value is None else float(d.p_value),
        "n_trials": d.n_trials,
    }


def _column(values: Any) -> dict[str, float]:
    return {str(p): float(v) for p, v in zip(values["player"].values, values.to_numpy())}


def _section(found: Examination, out: Path) -> dict[str, Any]:
    """What the page shows of one examination."""
    name = found.subject.name
    cost = ", ".join(f"{what} {s:.1f} s" for what, s in found.seconds.items())
    return {
        "name": name,
        "task": _sentence(found.subject.task),
        "findings": findings(found),
        "figures": [_figure(ax, out / f"{name}_{key}.png", caption) for key, ax, caption in _figures(found)],
        "truth": truth_table(found),
        "insignificant": insignificant(found),
        "caveats": caveats(found),
        "methods": methods(found),
        "cost": f"{found.evaluations} coalitions evaluated; {cost}",
    }


def _figures(found: Examination) -> list[tuple[str, Axes, str]]:
    made: list[tuple[str, Axes, str]] = []
    single, phi, kind = found.singles(), found.values(), found.subject.kind
    bars = (
        "exact over all coalitions and all inputs, so the error is 0"
        if found.over == "coalitions"
        else f"95 % intervals over {phi.n_trials} trials (t, {phi.n_trials - 1} degrees of freedom), coalitions exact"
        if phi.exact
        else f"95 % intervals over {phi.n_trials} trials and over sampled coalitions"
    )
    made.append(
        (
            "contributions",
            plotting.plot_contributions(single, phi, over=found.over),
            f"What each player contributes, lesioned alone and over all combinations. {kind.capitalize()} lesions; "
            f"n = {phi.n_trials} trials, {phi.n_evaluations} coalitions; bars: {bars}; the null is 0 (grey line).",
        )
    )
    if found.screening is not None and _are_heads(found):
        kept = [str(p) for p in phi.values["player"].values]
        made.append(
            (
                "screening",
                plotting.plot_head_map(found.screening, mark=kept),
                f"Screening: cost of each head's single {kind} lesion, n = {found.screening.n_trials} trials; no error "
                "bars in a map, standard errors are in results.json; the null is 0 (white). Framed heads were measured "
                f"further, on {found.subject.held_out}.",
            )
        )
    if found.decodings:
        d = found.decodings[0]
        made.append(
            (
                "decoding",
                plotting.plot_decoding(found.decodings, found.read_sites),
                f"Decoding '{found.subject.label}' by site. n = {d.n_trials} trials, {len(d.folds)} folds; bars: 95 % "
                f"intervals (Nadeau-Bengio, cut at 0 and 1); null: mean of {d.n_permutations} label "
                "permutations; no lesion.",
            )
        )
        best = int(np.argmax([float(t.eta_squared.max()) for t in found.tunings]))
        tuning = found.tunings[best]
        ax = plotting.plot_tuning(tuning)
        ax.set_xlabel(f"{found.subject.label}" + (" [degrees]" if found.subject.circular else ""))
        made.append(
            (
                "tuning",
                ax,
                f"Tuning to '{found.subject.label}' of the most selective units at {found.read_sites[best]}. n = "
                f"{span(tuning.n.min(), tuning.n.max())} trials a value; bars: standard error over trials; "
                f"null: {N_PERMUTATIONS} permutations of the label (Welch's F), shares of tuned units are in the text; "
                "no lesion.",
            )
        )
    return made


def _are_heads(found: Examination) -> bool:
    assert found.screening is not None
    return all(".hook_z." in str(p) for p in found.screening.values["player"].values)


def _figure(ax: Axes, path: Path, caption: str) -> dict[str, str]:
    """The figure for the page; on disk with its caption inside, since a PNG is passed on without its page."""
    figure: Any = ax.figure
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=150)
    width = int(figure.get_figwidth() * 15)
    figure.supxlabel("\n".join(textwrap.wrap(caption, width)), fontsize=7.5, color="#444", x=0.02, ha="left")
    figure.savefig(path, dpi=150)
    return {"caption": caption, "png": base64.b64encode(held.getvalue()).decode()}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
