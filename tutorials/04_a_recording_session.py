# %% [markdown]
# # A recording session, without any network
#
# Spike counts of head-direction cells from six sessions, as you would load them from your own files: an array
# `(trial, unit)` and a table of conditions. The cells are simulated, so that every answer can be checked. The calls
# are those of the later tutorials on networks.

# %%
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

import artiphys as ap
from artiphys import plotting
from artiphys.errors import StatisticsError

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)

# %% 40 head-direction cells and 20 cells that know nothing; every session has its own firing level.
session = np.repeat(np.arange(6), 160)
direction = np.tile(np.arange(16) * 22.5, 60)
preferred = np.append(rng.uniform(0, 360, 40), np.full(20, np.nan))
bump = np.exp(2.0 * (np.cos(np.deg2rad(direction[:, None] - preferred)) - 1))
rate = (1.5 + 8 * np.nan_to_num(bump)) * np.exp(0.25 * rng.normal(size=(6, 60)))[session]
counts = xr.DataArray(
    rng.poisson(rate),
    dims=("trial", "unit"),
    coords={"direction": ("trial", direction), "session": ("trial", session)},
)

# %% Tuning: circular, tested by permuting within sessions, corrected for 60 cells.
tuning = ap.tuning_curves(counts, "direction", circular=True, period=360, groups="session", n_permutations=200, seed=0)
tuned = tuning.p_fdr < 0.05
print(tuning.to_dataframe().head())
print(f"tuned: {int(tuned[:40].sum())} of 40 head-direction cells, {int(tuned[40:].sum())} of 20 others")
assert tuned[:40].all() and tuned[40:].sum() <= 2

# %% Preferred direction by the phase of the first harmonic, width by a fitted bump, information per spike.
error = (tuning.preferred()[:40] - preferred[:40] + 180) % 360 - 180
fit = tuning.fit()
bits = tuning.information("skaggs")
print(f"preferred direction off by {float(np.abs(error).mean()):.1f} degrees on average")
print(f"width {float(fit['width'][:40].median()):.0f} degrees at half height (true: 98)")
print(f"{float(bits.bits[:40].mean()):.2f} bits per spike; others {float(bits.bits[40:].mean()):.3f}")
assert np.abs(error).mean() < 8 and abs(float(fit["width"][:40].median()) - 98) < 12
plotting.plot_tuning(tuning).figure.savefig(folder / "tuning.png")

# %% Decoding across sessions. Trials of a session are not independent, so leaving that out is refused.
octant = (direction // 45 * 45).astype(int)  # degrees
try:
    ap.decode(counts, octant)
except StatisticsError as error_said:
    print(error_said)
try:
    ap.decode(counts, octant, groups="session")  # each octant holds two of the directions shown, again and again
except StatisticsError as error_said:
    print(error_said)
decoded = ap.decode(counts, octant, groups="session", exchange="within groups", cv=6, n_permutations=100)
print(f"octant: {float(decoded.score):.2f} (chance {decoded.chance:.2f}), p {float(decoded.p_value):.3f}")
print(f"{float(decoded.information().bits):.2f} bits per trial, a lower bound")
plotting.plot_confusion(decoded).figure.savefig(folder / "confusion.png")

# %% Direction itself is an angle. A reader of counts that knows their noise is nearer than a linear one.
for reader in ("ridge", "poisson"):
    angle = ap.decode(counts, direction, reader, groups="session", cv=6, circular=True, period=360, n_permutations=0)
    print(f"direction by {angle.estimator}: off by {float(angle.median_error):.0f} degrees in the middle")

# %% A label that is constant in each session: three sessions "with drug", which does nothing here.
drug = np.isin(session, [0, 2, 3])
naive = ap.decode(counts, drug, exchange="trials", n_permutations=0)  # said outright, it is done
print(f"drug, trials mixed: {float(naive.score):.2f}. That is the firing level of each session, not the drug")
kept = ap.decode(counts, drug, groups="session", cv=3, n_permutations=0)
print(f"drug, whole sessions left out: {float(kept.score):.2f}")
assert float(naive.score) > 0.9 > float(kept.score)

# %% How well do single cells, and all together, tell 90 from 135 degrees?
pair = np.isin(direction, [90, 135])
detection = ap.detectability(counts[pair], direction[pair], within="session", n_permutations=200)
print(detection.to_dataframe().sort_values("p").head(3))
alone = ap.detectability(counts[pair].drop_vars("session"), direction[pair], n_permutations=0).population()
print(f"population d' {alone.d_prime:.1f} (uncorrected {alone.plugin**0.5:.1f})")
plotting.plot_detection(detection).figure.savefig(folder / "detection.png")

# %% Do the cells fall into types? Preference is drawn evenly from the circle, so they should not.
types = ap.cell_types(
    np.column_stack([fit["width"][:40], fit["gain"][:40]]), standardise=True, max_types=3, progress=False
)
print(types.verdict)
print(tuning.methods_text())
print(decoded.methods_text())
