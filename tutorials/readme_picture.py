"""The picture in README: contributions on a toy and on SmolLM2. Run: python tutorials/readme_picture.py"""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from artiphys import plotting
from artiphys.report import subjects
from artiphys.report.examine import examine

figure = Figure(figsize=(10, 4.2), layout="constrained")
FigureCanvasAgg(figure)
panels = figure.subplots(1, 2)
for ax, name in zip(panels, ("xor_redundant", "smollm2-135m")):
    found = examine(subjects.load(name))
    plotting.plot_contributions(found.singles(), found.values(), ax=ax, over=found.over)
    n = found.values().n_trials
    bars = "exact: all inputs, all coalitions" if found.over == "coalitions" else f"95 % intervals over {n} prompts"
    ax.set_title(f"{name}\n{found.subject.kind} lesions; {bars}", loc="left", fontsize=10, pad=28)
figure.savefig(Path(__file__).with_name("readme_picture.png"), dpi=110)
