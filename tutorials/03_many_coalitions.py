# %% [markdown]
# # Many coalitions
#
# Which hidden units of a digits classifier does its performance rest on? There are 2^16 coalitions of 16 units,
# few enough to know the exact answer here, so that each estimate can be checked against it.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn

import artiphys as ap
from artiphys import plotting

# %% A small network, trained here in a second.
torch.manual_seed(0)
digits = load_digits()
x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimiser = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(150):
    optimiser.zero_grad()
    nn.functional.cross_entropy(net(x[:1437]), y[:1437]).backward()
    optimiser.step()

prep = ap.wrap(net.eval(), x)
stimuli = ap.Stimuli(x[1437:], {"digit": y[1437:].numpy()})
players = prep.players("1", units=range(16))
folder = Path(tempfile.mkdtemp())


def game(**options):
    return ap.Game(prep, stimuli, ap.scores.log_prob("digit"), players, kind="zero", **options)


# %% What will it cost? Nothing is spent but one measured forward pass.
every = (np.arange(2**16)[:, None] >> np.arange(16)) & 1 == 1
print(game().plan(every))

# %% The exact answer, from all coalitions.
exact = ap.shapley(game(), method="exact", progress=False)

# %% Single lesions look cheap, but rank the units wrongly: what one unit did, others take over.
single = ap.single_lesions(game())
rank = stats.spearmanr(single.values, exact.values).statistic
print(f"rank correlation of single lesions with Shapley values: {rank:.2f}")
plotting.plot_contributions(single, exact).figure.savefig(folder / "contributions.png")

# %% An estimate from 1 coalition in 60. Its interval says how far off it may be, and here we can check.
estimate = ap.shapley(game(), budget=1000, progress=False)
low, high = estimate.interval(over="coalitions")
inside = int(((low <= exact.values) & (exact.values <= high)).sum())
print(estimate.method, estimate.why)
print(f"{estimate.n_evaluations} coalitions: {inside} of 16 intervals hold the exact value")
assert inside >= 12

# %% Sampling stops by itself when every interval is narrow enough, and a campaign on disk is not paid for twice.
first = game(cache=folder / "campaign.zarr")
precise = ap.shapley(first, method="shrunken", tolerance=0.02, progress=False)
print(precise.why)
second = game(cache=folder / "campaign.zarr")
again = ap.shapley(second, method="shrunken", tolerance=0.02, progress=False)
assert second.n_evaluations == 0 and np.array_equal(again.values, precise.values)

# %% How the estimates converge. More evaluations narrow the intervals around the exact values.
estimates = [ap.shapley(first, budget=b, progress=False) for b in (300, 600, 1200, 2400, 4800)]
plotting.plot_convergence(estimates, exact=exact).figure.savefig(folder / "convergence.png")

# %% Two errors, told apart: of having drawn some coalitions, and of having seen some images.
print(estimate.to_dataframe()[["value", "stderr", "stderr_stimuli"]].head())
print(estimate.methods_text())
print(f"figures are in {folder}")
