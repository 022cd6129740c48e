# %% [markdown]
# # What single lesions miss
#
# Lesion one unit, look at the behaviour, go on to the next: some networks hide what they do from this, and some hide it
# from recordings. First four networks whose answers are known, then methods of the field on thirty more, then the same
# question asked of SmolLM2-135M (about three minutes on one core). Needs the `specimens` extra.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

import artiphys as ap
from artiphys import plotting


def check(toy, analysis, found, kind="zero"):
    """What was found is what the toy knows: the same players or sets, and the same numbers."""
    truth = toy.truths(analysis, kind)
    found = {"+".join(key) if isinstance(key, tuple) else key: float(value) for key, value in found.items()}
    assert found.keys() == truth.expected.keys()
    assert all(abs(found[key] - value) <= truth.tolerance for key, value in truth.expected.items())


def analysed(name):
    """All analyses of one toy under zero lesions, each checked against its truth."""
    toy = ap.toys.load(name)
    prep = ap.wrap(toy)
    game = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="zero")
    single, shapley = ap.single_lesions(game), ap.shapley(game)
    check(toy, "single_lesions", single.values.to_series())
    check(toy, "shapley", shapley.values.to_series())
    order = min(3, game.n_players)
    together = ap.interactions(game, order=order, index="SII").values.to_series()
    together = {players: value for players, value in together.items() if len(players) > 1}
    check(toy, "SII", together)
    circuit = ap.minimal_circuit(game, holdout=None)  # a toy shows all inputs there are: none are held out
    kept = game([[player in s for player in game.player_names] for s in circuit.minimal])
    check(toy, "minimal circuits", dict(zip(circuit.minimal, (kept - game.lesioned) / (game.intact - game.lesioned))))
    critical = ap.critical_sets(game, residual=0.05, holdout=None)
    check(toy, "critical sets .05", dict(zip(critical.sets, critical.residuals)))

    print(f"\n{name}: {toy.lesson}")
    table = {"single lesion": single.values.to_series(), "Shapley value": shapley.values.to_series()}
    print(pd.DataFrame(table).round(3))
    print("interactions:", ", ".join(f"{' and '.join(players)} {value:+.3f}" for players, value in together.items()))
    print("any of these suffices:", "; ".join(" and ".join(s) for s in circuit.minimal))
    print("without any of these nothing is left:", "; ".join(" and ".join(s) for s in critical.sets))
    return toy, prep, game


# %% Redundancy: units 0 and 1 are the same unit. Lesion either and nothing happens; their Shapley values are as large
# as that of unit 2, the only one whose lesion shows. A negative interaction means that the two stand in for each other.
toy, prep, game = analysed("xor_redundant")
tuning = ap.tuning_curves(ap.record(prep, toy.stimuli, "hidden")["hidden"], "label")
print(f"reading: the label explains {tuning.selectivity().values.round(2)} of the variance of each unit")
assert np.allclose(tuning.selectivity(), tuning.selectivity()[0])  # reading finds all three, alike

# %% Backup: b speaks only when a is silent. No lesion shows either of them, and a recording of the intact network shows
# nothing of b at all. Together they are everything. Mean lesions leave a's output as it was: they miss both.
toy, prep, game = analysed("backup")
rec = ap.record(prep, toy.stimuli, ["a", "b"])
activity = {f"{site}.0": float(rec[site].mean()) for site in rec}
check(toy, "activity", activity, None)
print("reading: mean activity", activity)
with ap.lesioned(prep, ap.Lesion("a", units=[0], kind="zero")):
    print("b while a is lesioned:", float(ap.record(prep, toy.stimuli, "b")["b"].mean()))
mean = ap.Game(prep, toy.stimuli, toy.score, toy.lesion_players(prep), kind="mean")
check(toy, "shapley", ap.shapley(mean).values.to_series(), "mean")

# %% Synergy: each unit says nothing about the answer, both say all. Here it is reading one unit at a time that fails.
# Single lesions find both units, but not that they work together: their effects add up to twice the behaviour.
toy, prep, game = analysed("synergy")
hidden = ap.record(prep, toy.stimuli, "hidden")["hidden"]


def bits(state):
    """Information between states and the label [bits]; all inputs are there, so nothing is corrected for few trials."""
    counts = pd.crosstab(np.unique(state, axis=0, return_inverse=True)[1].ravel(), toy.labels)
    return float(ap.probes.information(counts.to_numpy(), "plugin").bits)


alone = {f"hidden.{unit}": bits(hidden[:, [unit]]) for unit in range(2)}
check(toy, "information", alone, None)
check(toy, "joint information", {"hidden.0+hidden.1": bits(hidden)}, None)
print(f"reading: {alone} bits alone, {bits(hidden)} both")
assert float(ap.single_lesions(game).values.sum()) == 2 * (game.intact - game.lesioned) == 1

# %% Parity: of three units even every pair says nothing. k-SII takes off the pairs what belongs to all three: what is
# left is one interaction of three, which an analysis of pairs cannot name.
toy, prep, game = analysed("parity3")
hidden = ap.record(prep, toy.stimuli, "hidden")["hidden"]
pairs = {pair: bits(hidden[:, list(pair)]) for pair in ((0, 1), (0, 2), (1, 2))}
print(f"reading: {pairs} bits of pairs, {bits(hidden)} of all three")
assert max(pairs.values()) < 1e-9 and abs(bits(hidden) - 1) < 1e-9
of_three = ap.interactions(game, order=3, index="k-SII").values.to_series()
check(toy, "k-SII", {players: value for players, value in of_three.items() if len(players) > 1})

# %% A board: who finds the smallest sufficient set? Thirty networks, three of each mechanism, each with idle units that
# carry the stimulus too. To the methods of the field we add one of our own: keep each unit whose lesion changes the
# score by at least 5 % of what lesions of all units do.


@ap.verification.method(estimates="minimal circuits", name="single lesions above 5 %")
def single_above(game):
    share = np.abs(ap.single_lesions(game).values / (game.intact - game.lesioned))
    return [player for player, s in zip(game.player_names, share.values) if s >= 0.05]


names = [
    "single lesions, ranked", "Shapley values, ranked", "activation patching", "forward greedy", "backward greedy",
    "ACDC-like pruning, .05", "gradient x activation (captum)", "selectivity", "random order",
]  # fmt: skip
peers = ap.verification.peer_methods()
compared = ["minimal_circuit", single_above, *(peers[name] for name in names if name in peers)]
drawn = [toy for seed in (1, 2, 3) for toy in ap.toys.mechanisms(seed=seed, kinds=("perceptron",), n=8)]
drawn = [toy for toy in drawn if "mixed" not in toy.name]
board = ap.verify(compared, toys=drawn, progress=False)
scores = board.to_dataframe()
scores["mechanism"] = scores["toy"].str.extract(": (.+), seed")[0]
found = scores.pivot_table(index="method", columns="mechanism", values="passed", aggfunc="mean", sort=False)
print(found.astype(float).round(2).to_string())
assert (found.loc["minimal_circuit"] == 1).all()

# %% Single lesions miss what is backed up. As a ranking they still find pairs of backups, and majorities: the same
# trials are scored intact and lesioned, so that a loss of 1 % ranks above the exact 0 of idle units. With a threshold,
# which an experiment with other trials for each lesion needs, those are lost too. Patching back one unit at a time
# misses what works only together.
missed = [name for name in found.columns if found.loc["single lesions above 5 %", name] == 0]
print("missed by single lesions above 5 %:", ", ".join(missed))
assert {"redundant2", "redundant3", "majority3"} <= set(missed)
assert found.loc["single lesions, ranked", "redundant3"] == 0
assert (found.loc["activation patching", ["synergy2", "synergy3", "synergy4"]] == 0).all()

# %% The same lines on a language model: "When Mary and John went to the store, John gave a drink to" Mary. Wang et al.
# 2023 (Interpretability in the wild) found heads in GPT-2 that name the receiver, heads that work against it, and
# backups that take over when the first are lesioned. Our players are those heads of the last ten layers whose lesion
# changed the score by more than .2, alone or beside a lesion of head 23.3, the strongest. They were chosen on 32
# prompts of seed 1; what follows is of 64 prompts drawn anew (two of them are the same) and of all 512 coalitions. A
# first look at 32 of these was too few: circuits and critical sets came out differently there.
heads = ["20.0", "23.0", "23.3", "23.7", "24.4", "24.5", "24.7", "29.0", "29.1"]
specimen = ap.specimens.load("smollm2-135m", n_prompts=64, seed=2, balanced=False)
prep = ap.wrap(specimen)
places = [(f"blocks.{layer}.attn.hook_z", int(head)) for layer, head in (name.split(".") for name in heads)]
players = [player for site, head in places for player in prep.players(site, units=[head])]
game = ap.Game(prep, specimen.stimuli, specimen.score, players, kind="mean")
single, shapley = ap.single_lesions(game), ap.shapley(game)
together = ap.interactions(game, index="SII")
print(f"logit difference {game.intact:.2f} intact, {game.lesioned:.2f} with these nine heads at their mean")


# %% What each head costs when it is lesioned alone, and when head 23.3 is lesioned already; and the change from one to
# the other. A backup would cost more then. Intervals over prompts, other names in the same eight sentences, that hold
# together with 95 % (Bonferroni).
assert [plotting.short(player) for player in game.player_names] == heads
strongest = "23.3"
N_ASKED = 3 * len(heads)  # intervals: 9 alone, 8 beside the strongest, 8 changes, and 2 more of the strongest below


def score_without(*lesioned):
    """Score of each prompt with these heads at their mean."""
    return game.per_trial([[name not in lesioned for name in heads]])[0]


def estimate(per_prompt):
    """Mean over prompts with its interval, and whether that includes 0."""
    half = stats.t.ppf(1 - 0.025 / N_ASKED, len(per_prompt) - 1) * stats.sem(per_prompt)
    mean = per_prompt.mean()
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]" + (" undecided" if abs(mean) <= half else "")


alone = {name: score_without() - score_without(name) for name in heads}
beside = {name: score_without(strongest) - score_without(strongest, name) for name in heads if name != strongest}
columns = {
    "alone": {name: estimate(cost) for name, cost in alone.items()},
    f"beside {strongest}": {name: estimate(cost) for name, cost in beside.items()},
    "change": {name: estimate(cost - alone[name]) for name, cost in beside.items()},
}
print(pd.DataFrame(columns).reindex(heads).fillna("").to_string())

# %% What makes up for the loss of head 23.3? Where it is something that the heads named do, the loss costs more
# without them.
opposing = [name for name in heads if alone[name].mean() < 0]
rising = [name for name in beside if 0 < alone[name].mean() < beside[name].mean()]  # help, and more beside 23.3
for gone in ([], opposing, rising):
    cost = estimate(score_without(*gone) - score_without(strongest, *gone))
    print(f"cost of {strongest} without {', '.join(gone) or 'any other lesion'}: {cost}")

assert alone[strongest].mean() > 0
assert (score_without(*opposing) - score_without(strongest, *opposing)).mean() > alone[strongest].mean()

# %% Shapley values: the mean effect over all contexts, that of single lesions being one of them.
low, high = shapley.interval(1 - 0.05 / len(heads), over="stimuli")
for name, value, bottom, top in zip(heads, shapley.values.values, low.values, high.values):
    mark = " undecided" if bottom <= 0 <= top else ""
    print(f"{name}: {value:+.2f} [{bottom:+.2f}, {top:+.2f}]{mark}; alone {columns['alone'][name]}")

# %% Which heads do more, or less, together than apart? Intervals of all interactions hold together. Two heads that help
# and interact negatively stand in for each other in part; where one of them opposes, it opposes the other's work.
low, high = together.interval(over="stimuli", simultaneous=True)
pairs = together.to_dataframe("stimuli").assign(low=low.values, high=high.values).query("order == 2")
includes_0 = (pairs["low"] <= 0) & (pairs["high"] >= 0)
pairs["reading"] = pairs["reading"].mask(includes_0, "undecided")
pairs.index = [" and ".join(plotting.short(player) for player in pair) for pair in pairs.index]
largest = np.argsort(-pairs["value"].abs().to_numpy())[:14]
print(pairs.iloc[largest][["value", "low", "high", "reading"]].round(2).to_string())
print(f"{includes_0.sum()} of {len(pairs)} pairs are undecided")

# %% What suffices, and what must be lost together for half of what these heads do to be lost? Judged on prompts that
# the search did not see.
print(ap.minimal_circuit(game, faithfulness=0.9).in_words())
print(ap.critical_sets(game, residual=0.5))

# %% One picture: the board, single lesions beside Shapley values, and the interactions.
figure = Figure(figsize=(12, 11.5), layout="constrained")
FigureCanvasAgg(figure)
panels = figure.subplot_mosaic([["board", "board"], ["values", "pairs"]])
plotting.plot_scoreboard(board, ax=panels["board"])
plotting.plot_contributions(single, shapley, ax=panels["values"], over="stimuli")
plotting.plot_interactions(together, ax=panels["pairs"], over="stimuli")
title = "SmolLM2-135M: nine heads at their mean\n95 % intervals over 64 prompts, each by itself"
panels["values"].set_title(title, loc="left", fontsize=10, pad=28)
panels["pairs"].set_title("SmolLM2-135M: pairs of these heads\ndots: significant (Holm)", loc="left", fontsize=10)
folder = Path(tempfile.mkdtemp())
figure.savefig(folder / "what_single_lesions_miss.png", dpi=110)
print(f"the picture is in {folder}")

# %% [markdown]
# What follows for someone who lesions. That a single lesion does nothing is no sign that a unit does nothing: a twin or
# a silent backup spares it, and a recording may show nothing of that backup. Nor do single effects add up to the
# behaviour: units that work only together are each charged with all of it. So lesion pairs and larger sets of what you
# suspect, say by which kind of lesion, and give interactions with their intervals. In SmolLM2 no strong backup was
# found among these nine heads. With intervals that hold together, two are undecided alone and help beside a lesion of
# 23.3: 23.7 by .1 more than alone, 23.0 by an amount more that is itself undecided; both interact negatively with 23.3,
# and more strongly, positively, with 20.0. But the loss of 23.3 is made up for mostly by heads that oppose, 24.4 and
# 29.0 above all, which then oppose less. Of 24.4 single lesions say too much rather than too little: it opposes
# strongly while all else is intact, and its Shapley value is undecided. On held-out prompts the circuit and the
# critical sets are undecided too. And the nine heads were chosen by lesions of one head or two: a backup that acts only
# after three are lost would not be among them.
