# %% [markdown]
# # Gratings in an image classifier
#
# An electrophysiologist's first hour with a visual area: show gratings, map orientation and spatial frequency. The
# animal is EfficientNet-lite0, recorded from its first stage to its last, beside an untrained copy. Needs the
# `specimens` extra.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch

import artiphys as ap
from artiphys import plotting
from artiphys.specimens.efficientnet import gratings

folder = Path(tempfile.mkdtemp())

# %% 8 orientations x 5 periods x 4 phases.
periods = [4.0, 8.0, 16.0, 32.0, 64.0]
shown = [gratings(8, 4, period) for period in periods]
images = torch.cat([s.inputs for s in shown])
conditions = {
    "orientation": np.concatenate([s.conditions["orientation"] for s in shown]),
    "period": np.repeat(periods, 32),
}
stimuli = ap.Stimuli(images, conditions)

# %% The trained network and one of the same architecture with random weights.
trained = ap.specimens.load("efficientnet-lite0").model
torch.manual_seed(0)
untrained = type(trained).from_name("efficientnet-lite0").train()
with torch.no_grad():  # normalisation needs statistics, or activity dies away
    for _ in range(30):
        untrained(torch.randn(8, 3, 224, 224) + 0.5 * images[torch.randint(len(images), (8,))])
sites = ["_blocks.0", "_blocks.2", "_blocks.4", "_blocks.7", "_blocks.10", "_blocks.15"]


# %% One electrode a channel: the spread of its activity over the middle of its map, which a change of phase hardly
# alters (as in a complex cell; single positions follow the phase, as simple cells do).
def pooled(activity):
    quarter = activity.sizes["height"] // 4
    middle = slice(quarter, activity.sizes["height"] - quarter)
    return activity.isel(height=middle, width=middle).std(["height", "width"])


electrodes = {}
for name, model in (("trained", trained), ("untrained", untrained.eval())):
    prep = ap.wrap(model, images[:2])
    rec = ap.record(prep, stimuli, sites, batch_size=16, progress=False)
    electrodes[name] = {site: pooled(rec[site]) for site in sites}

# %% Tuning to both stimuli, and the share of variance that each explains alone. Responses vary with the phase, more so
# where they are strong, so that means are tested by signs, which hold for unequal variances.
two = {"circular": {"orientation": True}, "period": {"orientation": 180}}
print("network    stage        tuned   orientation   period   separable   best period (median)")
for name, by_site in electrodes.items():
    for site in sites:
        tuning = ap.tuning_curves(
            by_site[site],
            ["orientation", "period"],
            n_permutations=2000,
            seed=0,
            progress=False,
            exchange="signs",
            **two,
        )
        tuned = (tuning.p_fdr < 0.05).to_numpy()
        if not tuned.any():
            print(f"{name:10s} {site:10s}     0%")
            continue
        share = [float(tuning.marginal(d).selectivity()[tuned].median()) for d in ("orientation", "period")]
        best = tuning.marginal("period").preferred("peak").to_numpy()[tuned]
        print(
            f"{name:10s} {site:10s} {tuned.mean():6.0%} {share[0]:13.2f} {share[1]:8.2f} "
            f"{float(tuning.separability()[tuned].median()):11.2f} {np.median(best):6.0f} pixels"
        )
        if name == "trained" and site == "_blocks.4":
            plotting.plot_tuning_map(tuning).figure.savefig(folder / "map.png")

# %% Can orientation be read from the electrodes, for periods the reader never saw?
label = np.char.add(conditions["orientation"].astype(str), " deg")
for name, activity in electrodes.items():
    decoded = ap.decode(
        activity, label, groups=conditions["period"].astype(int), exchange="within groups", cv=5, n_permutations=50
    )
    shown_scores = ", ".join(f"{s} {v:.2f}" for s, v in zip(sites, decoded.score.values))
    print(f"{name}: {shown_scores} (chance {decoded.chance:.2f})")

# %% Where on the map? A searchlight over 2 x 2 patches of all channels: upright against level gratings.
prep = ap.wrap(trained, images[:2])
middle = ap.record(prep, stimuli, "_blocks.7", batch_size=16, progress=False)["_blocks.7"]
upright = np.isin(conditions["orientation"], [0.0, 22.5, 157.5])
level = np.isin(conditions["orientation"], [67.5, 90.0, 112.5])
chosen = upright | level
light = ap.searchlight(
    middle[chosen], upright[chosen], axis=("height", "width"), size=2, step=2,
    groups=conditions["period"].astype(int)[chosen], exchange="within groups", n_permutations=50,
)  # fmt: skip
plotting.plot_searchlight(light).figure.savefig(folder / "searchlight.png")
print(f"{int((light.p_corrected < 0.05).sum())} of {light.score.size} patches tell them apart")

# %% The orientation tuning of one stage in full.
curves = ap.tuning_curves(
    electrodes["trained"]["_blocks.4"],
    "orientation",
    circular=True,
    period=180,
    n_permutations=2000,
    seed=0,
    exchange="signs",  # responses to a grating vary over its phases and periods, more where they are strong
)
table = curves.to_dataframe().assign(width=curves.width(), orientation_index=curves.orientation_selectivity())
print(table.sort_values("selectivity").tail(3))
plotting.plot_tuning(curves).figure.savefig(folder / "orientation.png")
print(curves.methods_text())
