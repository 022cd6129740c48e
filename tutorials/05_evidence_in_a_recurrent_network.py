# %% [markdown]
# # Evidence in a recurrent network
#
# A GRU is trained to say whether noisy evidence was positive on the whole. Is there one memory, held on one axis, and
# which units integrate? First the same lines on a toy whose answer is known: the leaky integrator.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm
from torch import nn

import artiphys as ap
from artiphys import plotting

folder = Path(tempfile.mkdtemp())
N_STEPS, MU = 20, 0.25

# %% The toy: with a leak of .8 it forgets. Its state at step t weighs evidence k steps ago by .8^k.
toy = ap.toys.load("integrator", leak=0.8, n_steps=N_STEPS, mu=MU)
state = ap.record(ap.wrap(toy), toy.stimuli[:600], "cell")["cell"]
course = ap.decode(state, "label", n_permutations=0)
weights = 0.8 ** np.arange(N_STEPS)
expected = MU * np.cumsum(weights) / np.sqrt(np.cumsum(weights**2))
print("decoded ", course.score.values.round(2)[[0, 4, 9, 19]])
print("expected", norm.cdf(expected).round(2)[[0, 4, 9, 19]])
assert np.abs(course.score.values - norm.cdf(expected)).max() < 0.08


# %% A GRU, trained here in a few seconds.
class Decider(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.readout = nn.Linear(24, 1)

    def forward(self, x):
        return self.readout(self.gru(x)[0][:, -1])[:, 0]


def evidence(n, seed):
    draw = np.random.default_rng(seed)
    label = np.arange(n) % 2
    x = draw.normal(size=(n, N_STEPS)) + MU * (2 * label - 1)[:, None]
    return torch.tensor(x[..., None], dtype=torch.float32), label


torch.manual_seed(0)
net, untrained = Decider(), Decider()
optimiser = torch.optim.Adam(net.parameters(), 5e-3)
for step in range(250):
    x, label = evidence(256, 1000 + step)
    optimiser.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(net(x), torch.tensor(label, dtype=torch.float32)).backward()
    optimiser.step()

x, label = evidence(600, 1)
total = x[..., 0].cumsum(dim=1).numpy()  # accumulated evidence (trial, step)
stimuli = ap.Stimuli(x, {"side": label})
best = float(((total[:, -1] > 0) == label).mean())
print(f"correct: {float(((net.eval()(x) > 0).numpy() == label).mean()):.2f}, an ideal observer {best:.2f}")

# %% What can be read at each step, trained and untrained?
site = "gru.h0"
rec = {
    name: ap.record(ap.wrap(model.eval(), x[:2]), stimuli, site)[site]
    for name, model in (("trained", net), ("untrained", untrained))
}
course = ap.decode(rec, "side", n_permutations=50)
plotting.plot_time_course(course).figure.savefig(folder / "course.png")
last = course.score.isel(time=-1)
print(f"side at the last step: {float(last[0]):.2f} trained, {float(last[1]):.2f} untrained")
assert float(last[0]) > float(last[1]) + 0.05

# %% One axis or many? Train a reader at each step, test it at every other.
cross = ap.decode(rec["trained"], "side", across="time", n_permutations=50)
plotting.plot_generalisation(cross).figure.savefig(folder / "generalisation.png")
there, back = float(cross.score[10, -1]), float(cross.score[-1, 10])
print(f"trained at step 10, tested at the last: {there:.2f}; the other way {back:.2f}")

# %% Which units integrate? Activity at step 15 follows the evidence of all steps before, given that of step 15 itself.
step = 15
before = total[:, step - 1]
tunings = {}
for name, activity in rec.items():
    now = activity.isel(time=step)
    tuning = ap.tuning_curves(
        now, before, confounds=x[:, step, 0].numpy(), confound_form="spline", n_permutations=200, seed=0
    )
    tunings[name] = tuning
    integrating = int((tuning.p_fdr < 0.05).sum())
    print(f"{name}: {integrating} of 24 units integrate, at most {float(tuning.selectivity().max()):.2f} of variance")
    value = ap.decode(now, before, confounds=x[:, step, 0].numpy(), confound_form="spline", n_permutations=0)
    print(f"    evidence before step {step} read with R squared {float(value.score):.2f}")
plotting.plot_tuning(tunings["trained"]).figure.savefig(folder / "integrating.png")

# %% [markdown]
# In the untrained network all units follow the past too: any recurrent network echoes its input, and a reader finds it.
# What training changed is how much of the activity it is, and that the side can be read at the end. Whether the network
# uses a unit is a question for lesions, not for readers.
