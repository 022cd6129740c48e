# %% [markdown]
# # Three neurons
#
# A network of three hidden threshold units computes XOR. Two of them (0 and 1) are the same OR unit.
# We record, look at tuning, decode, lesion every unit alone, and then in all combinations. The right
# answers are known, so that each method can be checked.

# %%
import numpy as np
import torch

import artiphys as ap

toy = ap.toys.load("xor_redundant")
prep = ap.wrap(toy)
print(prep.sites)

# %% Record. Conditions travel with the activity.
rec = ap.record(prep, toy.stimuli, sites="hidden")
print(rec["hidden"].to_pandas().assign(x1=rec["hidden"].x1, x2=rec["hidden"].x2))

# %% Tuning. Units 0 and 1 are tuned alike: they are the same unit.
tuning = ap.tuning_curves(rec["hidden"], "label")
print(tuning.curves.to_pandas())
assert np.array_equal(tuning.curves[0], tuning.curves[1])

# %% Decoding. Four inputs are too few to cross-validate, so each is shown 20 times, with measurement noise.
again = ap.Stimuli(torch.cat([toy.stimuli.inputs] * 20), {"label": np.tile(toy.labels, 20)})
noisy = ap.record(prep, again, sites=["input", "hidden"])
noise = np.random.default_rng(0)
for site in noisy:
    activity = noisy[site] + noise.normal(0, 0.25, noisy[site].shape)
    decoded = ap.decode(activity, "label")
    print(f"{site:>7}: accuracy {float(decoded.score):.2f}, chance {decoded.chance}, p {float(decoded.p_value):.3f}")

# %% One lesion by hand. Inside the block the network is lesioned; afterwards it is as it was.
with ap.lesioned(prep, ap.Lesion("hidden", units=[0], kind="zero")):
    print("without unit 0:", prep.run(toy.stimuli).outputs.tolist())
print("intact again:  ", prep.run(toy.stimuli).outputs.tolist())

# %% A game: the value of every coalition of intact units. The lesion kind is always said.
game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
single, shapley = ap.single_lesions(game), ap.shapley(game)
print(single)
print(shapley)

# %% Single lesions call both OR units useless. Together they are half of the behaviour.
without_both = game([[False, False, True]])[0]
print(f"accuracy without the pair: {without_both}")
assert without_both == 0.5

# %% Check against the truth that the toy carries.
for analysis, result in (("single_lesions", single), ("shapley", shapley)):
    for player, expected in toy.truths(analysis, "zero").expected.items():
        assert abs(float(result.values.sel(player=player)) - expected) < 1e-6
print(shapley.methods_text())

# %% A truth belongs to a lesion kind: under mean lesions the answer is another.
mean = ap.shapley(ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="mean"))
print(mean.values.values, "against", shapley.values.values)
