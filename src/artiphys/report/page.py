"""The report of `artiphys examine`: figures, one self-contained page, and the numbers as JSON."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import textwrap
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
    sections = [_section(examination, out) for examination in examined]
    page = template.render(command=command, seconds=seconds, cost=cost, sections=sections)
    (out / "results.json").write_text(json.dumps([results(f) for f in examined], indent=1))
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def results(examination: Examination) -> dict[str, Any]:
    """Every number of an examination, as plain values."""
    return {
        "name": examination.subject.name,
        "seed": examination.seed,
        "lesion_kind": examination.subject.kind,
        "findings": findings(examination),
        "single_lesions": _numbers(examination.single, examination),
        "shapley": _numbers(examination.shapley, examination),
        "screening": _numbers(examination.screening, examination),
        "all_players_lesioned": examination.all_lesioned,
        "pairs": [_plain(row) for row in examination.pairs.to_dict("records")],
        "interactions": _interactions(examination),
        "circuit": _circuit(examination),
        "decoding": [_decoded(s, d) for s, d in zip(examination.read_sites, examination.decodings)],
        "tuned_share": {s: tuned_share(t) for s, t in zip(examination.read_sites, examination.tunings)},
        "seconds": examination.seconds,
        "evaluations": examination.evaluations,
    }


def _numbers(result: Attribution | None, examination: Examination) -> dict[str, Any] | None:
    if result is None:
        return None
    plain = ("intact", "lesioned", "n_evaluations", "exact", "method", "why", "kind", "n_trials", "score", "unit")
    columns = {name: _column(getattr(result, name)) for name in ("values", "stderr", "stderr_stimuli")}
    ends = [_column(end) for end in result.interval(1 - ALPHA, examination.over)]
    return {**columns, "interval": ends, "interval_over": examination.over} | {n: getattr(result, n) for n in plain}


def _interactions(examination: Examination) -> list[dict[str, Any]] | None:
    found = examination.interactions
    if found is None:
        return None
    table = found.to_dataframe(examination.over)
    return [
        {"players": [str(p) for p in names]} | _plain(row) for names, row in zip(table.index, table.to_dict("records"))
    ]


def _circuit(examination: Examination) -> dict[str, Any] | None:
    circuit = examination.circuit
    if circuit is None:
        return None
    plain = ("faithfulness", "fidelity", "held_out", "held_out_fidelity", "verdict", "certificate", "certificate_text",
             "complete", "required", "criterion", "method", "n_evaluations", "n_trials", "n_held_out")  # fmt: skip
    sets = {"players": [str(p) for p in circuit.players], "minimal": [[str(p) for p in s] for s in circuit.minimal]}
    baseline = _plain(dataclasses.asdict(circuit.baseline)) | {"players": [str(p) for p in circuit.baseline.players]}
    stability = None if circuit.stability is None else circuit.stability.mean
    return sets | _plain({n: getattr(circuit, n) for n in plain}) | {"baseline": baseline, "stability": stability}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Values that JSON knows; it has no NaN."""
    return {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}


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


def _column(values: Any) -> dict[str, Any]:
    return _plain({str(p): float(v) for p, v in zip(values["player"].values, values.to_numpy())})


def _section(examination: Examination, out: Path) -> dict[str, Any]:
    """What the page shows of one examination."""
    name = examination.subject.name
    file = quote(name, safe="")  # whatever it is called, it stays in the folder
    cost = ", ".join(f"{what} {s:.1f} s" for what, s in examination.seconds.items())
    return {
        "name": name,
        "task": _sentence(examination.subject.task),
        "findings": findings(examination),
        "figures": [_figure(ax, out / f"{file}_{key}.png", caption) for key, ax, caption in _figures(examination)],
        "truth": truth_table(examination),
        "insignificant": insignificant(examination),
        "caveats": caveats(examination),
        "methods": methods(examination),
        "cost": f"{examination.evaluations} coalitions evaluated; {cost}",
    }


def _figures(examination: Examination) -> list[tuple[str, Axes, str]]:
    figures: list[tuple[str, Axes, str]] = []
    single, phi, kind = examination.singles(), examination.values(), examination.subject.kind
    bars = (
        "exact over all coalitions and all inputs, so the error is 0"
        if examination.over == "coalitions"
        else f"95 % intervals over {phi.n_trials} trials (t, {phi.n_trials - 1} degrees of freedom), coalitions exact"
        if phi.exact
        else f"95 % intervals over {phi.n_trials} trials and over sampled coalitions"
    )
    figures.append(
        (
            "contributions",
            plotting.plot_contributions(single, phi, over=examination.over),
            f"What each player contributes, lesioned alone and over all combinations. {kind.capitalize()} lesions; "
            f"n = {phi.n_trials} trials, {phi.n_evaluations} coalitions; bars: {bars}; the null is 0 (grey line).",
        )
    )
    if examination.screening is not None and _are_heads(examination):
        measured = [str(p) for p in phi.values["player"].values]
        figures.append(
            (
                "screening",
                plotting.plot_head_map(examination.screening, mark=measured),
                f"Screening: cost of each head's single {kind} lesion, n = {examination.screening.n_trials} trials; no "
                "error bars in a map, standard errors are in results.json; the null is 0 (white). Framed heads were "
                f"measured further, on {examination.subject.held_out}.",
            )
        )
    if examination.circuit is not None and len(examination.circuit.players) > 1:
        circuit = examination.circuit
        figures.append(
            (
                "circuit",
                plotting.plot_circuit(circuit),
                f"The circuit. Area: what each member adds, {kind} lesions of all other players; n = "
                f"{circuit.n_held_out or circuit.n_trials} trials; filled: confirmed by a paired t-test (Holm), "
                "or, where the trials are all there are, by its value.",
            )
        )
    if examination.decodings:
        d = examination.decodings[0]
        figures.append(
            (
                "decoding",
                plotting.plot_decoding(examination.decodings, examination.read_sites),
                f"Decoding '{examination.subject.label}' by site. n = {d.n_trials} trials, {len(d.folds)} folds; bars: "
                f"95 % intervals of a proportion; null: mean of {d.n_permutations} permutations of labels "
                "between single trials; no lesion.",
            )
        )
        best = int(np.argmax([float(t.eta_squared.max()) for t in examination.tunings]))
        tuning = examination.tunings[best]
        ax = plotting.plot_tuning(tuning)
        ax.set_xlabel(f"{examination.subject.label}" + (" [degrees]" if examination.subject.circular else ""))
        figures.append(
            (
                "tuning",
                ax,
                f"Tuning to '{examination.subject.label}' of the most selective units at "
                f"{examination.read_sites[best]}. n = {span(tuning.n.min(), tuning.n.max())} trials per value; bars: "
                "standard error over trials; "
                f"null: {N_PERMUTATIONS} permutations of the label (Welch's F), shares of tuned units are in the text; "
                "no lesion.",
            )
        )
    return figures


def _are_heads(examination: Examination) -> bool:
    assert examination.screening is not None
    return all(".hook_z." in str(p) for p in examination.screening.values["player"].values)


def _figure(ax: Axes, path: Path, caption: str) -> dict[str, str]:
    """The figure for the page; on disk with its caption inside, since a PNG is passed on without its page."""
    figure: Any = ax.figure
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=150)
    width = int(figure.get_figwidth() * 15)
    figure.supxlabel("\n".join(textwrap.wrap(caption, width)), fontsize=7.5, color="#444", x=0.02, ha="left",
                     parse_math=False)  # fmt: skip
    figure.savefig(path, dpi=150)
    return {"caption": caption, "png": base64.b64encode(held.getvalue()).decode()}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
