# %% [markdown]
# # The same lines on a language model
#
# The calls of the first tutorial, on SmolLM2-135M (30 layers of 9 heads). The task: after "When Mary and
# John went to the store, John gave a drink to", prefer Mary over John. The score is the difference of
# the two logits. Needs the `specimens` extra.

# %%
import artiphys as ap

specimen = ap.specimens.load("smollm2-135m", n_prompts=32)
prep = ap.wrap(specimen)
print(prep)
print(specimen.stimuli.conditions.head())

# %% Record the residual stream after every fifth block.
layers = [f"blocks.{i}.hook_resid_post" for i in range(4, 30, 5)]
rec = ap.record(prep, specimen.stimuli, sites=layers)

# %% Tuning and decoding of the order of the names, at the last position.
for site in layers:
    last = rec[site].isel(time=-1)
    tuning = ap.tuning_curves(last, "order", n_permutations=100, seed=0)
    decoded = ap.decode(last, "order", n_permutations=100, progress=False)
    table = tuning.to_dataframe()
    print(
        f"{site}: {(table['p_fdr'] < 0.05).mean():.0%} of units tuned, decoding {float(decoded.score):.2f} "
        f"(p {float(decoded.p_value):.3f})"
    )

# %% One lesion by hand: head 3 of layer 23, set to its mean over prompts at each position.
trials = specimen.stimuli[:16]
lesion = ap.Lesion("blocks.23.attn.hook_z", units=[3], kind="mean", reference=trials)
intact = specimen.score(prep.run(trials, last_only=True).outputs, trials).mean()
with ap.lesioned(prep, lesion):
    lesioned = specimen.score(prep.run(trials, last_only=True).outputs, trials).mean()
print(f"logit difference {intact:.2f} intact, {lesioned:.2f} without head 23.3")

# %% A game of four heads, singly and in all combinations.
names = [("blocks.20.attn.hook_z", 0), ("blocks.23.attn.hook_z", 3), ("blocks.29.attn.hook_z", 0)]
players = [p for site, head in [*names, ("blocks.29.attn.hook_z", 1)] for p in prep.players(site, units=[head])]
game = ap.Game(prep, trials, specimen.score, players, kind="mean")
single, shapley = ap.single_lesions(game), ap.shapley(game)
print(single)
print(shapley)
print(f"sum {float(shapley.values.sum()):.3f} = intact {game.intact:.3f} - lesioned {game.lesioned:.3f}")
print(shapley.methods_text())

# %% Heads 23.3 and 29.1 help, 29.0 opposes.
effect = {name: float(v) for name, v in zip(game.player_names, single.values.values)}
assert effect["blocks.23.attn.hook_z.3"] > 0 and effect["blocks.29.attn.hook_z.1"] > 0
assert effect["blocks.29.attn.hook_z.0"] < 0
assert abs(shapley.gap) < 1e-6
