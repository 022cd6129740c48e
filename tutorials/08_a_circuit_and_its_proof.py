"""A circuit and its proof: a planted network solved, then the same lines on SmolLM2-135M.

Which units suffice, which back each other up, and how sure is that? First on a network in which everything is known;
then on the heads of a language model (about two minutes on two cores).
"""

import tempfile
from pathlib import Path

import networkx as nx
import numpy as np

import artiphys as ap
from artiphys import plotting

# %% A network of 32 units that all carry the stimulus. Six of them compute the answer, with gains that vary from trial
# to trial; all others leak a little into the output. Which six, the toy knows.
toy = ap.toys.planted(n=32, k=6, seed=34, gain_sd=0.5, leak=0.02, n_trials=256)
truth = toy.truths("minimal circuits", "zero").expected
print(toy.lesson)
prep = ap.wrap(toy)
game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")

# %% Reading finds nothing: every unit decodes the stimulus.
decoded = ap.decode(ap.record(prep, toy.stimuli, "hidden")["hidden"].isel(unit=[0]), "label")
print(f"unit 0 alone decodes the stimulus at {float(decoded.score):.2f}")

# %% The smallest set that suffices when all others are lesioned. It is searched on half of the trials and judged on the
# other half; what is proven of its size is said.
circuit = ap.minimal_circuit(game)
print(circuit)
assert "+".join(circuit.players) in truth and len(circuit.players) == min(len(s.split("+")) for s in truth)
print(f"coalitions evaluated: {circuit.n_evaluations}, of 2^32")
print(circuit.members.round(3))

# %% Beside it: as many units by single lesions. Backups look useless to them, and leaks real.
base = circuit.baseline
print(f"by single lesions: faithfulness {base.held_out:.2f}, fidelity {base.held_out_fidelity:.2f} on held-out trials")

# %% What must be lost together before the behaviour is impaired, or gone?
print(ap.critical_sets(game, residual=0.95))
print(ap.critical_sets(game, residual=0.05))

# %% How do the units that matter work together? A game of these alone, with the others intact.
names = sorted({unit for s in circuit.minimal for unit in s}, key=str)
players = prep.players("hidden")
inner = ap.Game(prep, toy.stimuli, toy.score, [players[name] for name in names], kind="zero")
together = ap.interactions(inner)
print(together.top(6))

# %% The circuit is a network of its own: it can be recorded from, lesioned, and shown new stimuli.
alone = circuit.preparation()
new = ap.toys.planted(n=32, k=6, seed=34, gain_sd=0.5, leak=0.02, n_trials=128).stimuli
whole, part = prep.run(new).outputs, alone.run(new).outputs
print(f"outputs on new trials correlate at {np.corrcoef(whole, part)[0, 1]:.3f}")
graph = circuit.to_networkx(interactions=together)
print(f"as a graph: {graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges")

# %% Pictures.
folder = Path(tempfile.mkdtemp())
nx.write_graphml(graph, folder / "circuit.graphml")
plotting.plot_circuit(circuit, interactions=together).figure.savefig(folder / "circuit.png", dpi=120)
plotting.plot_circuit_sizes(circuit).figure.savefig(folder / "sizes.png", dpi=120)
plotting.plot_interactions(together).figure.savefig(folder / "interactions.png", dpi=120)
print(f"pictures are in {folder}")

# %% Which connections? Two heads find what followed a token before: by its units both are vital, and nothing tells how
# they meet. Of their connections seven of twelve are: layer 0 is read by the keys of layer 1.
toy = ap.toys.load("induction_edges")
wired = ap.Game(ap.wrap(toy), toy.stimuli, toy.score, toy.lesion_players(), kind="zero")
wiring = ap.minimal_circuit(wired, holdout=None)  # these trials are all there are
print(wiring)
assert "layer0→layer1.key" in wiring.players and len(wiring.players) == 7
plotting.plot_circuit(wiring).figure.savefig(folder / "wiring.png", dpi=120)

# %% The same lines on a language model: the 90 attention heads of its last ten layers at their mean, the others intact;
# 64 prompts of the indirect-object task. Pairs of prompts that differ in the giver alone stay together on one side.
specimen = ap.specimens.load("smollm2-135m", n_prompts=64)
prep = ap.wrap(specimen)
heads = ap.Game(prep, specimen.stimuli, specimen.score, prep.players("blocks.2?.attn.hook_z"), kind="mean")
print(f"logit difference {heads.intact:.2f} intact, {heads.lesioned:.2f} with these heads at their mean")
second_half = range(32, 64)
circuit = ap.minimal_circuit(heads, faithfulness=0.9, holdout=second_half, method="beam", budget=250)
print(circuit)
print(circuit.methods_text())

# %% Two heads carry the mean. Trial by trial they do not: fidelity is lower, and as many heads chosen by single lesions
# overshoot.
base = circuit.baseline
print(f"fidelity {circuit.held_out_fidelity:.2f}")
print(f"by single lesions: faithfulness {base.held_out:.2f}, fidelity {base.held_out_fidelity:.2f}")

# %% What do these heads give to whom? All edges from the last ten layers' heads straight to the readout, guessed by
# gradients and then cut one by one, while every later layer still gets what they give.
to_readout = prep.edges("blocks.2?.attn.hook_z", "ln_final.hook_in")
direct = ap.Game(prep, specimen.stimuli[:32], specimen.score, to_readout, kind="mean")
guess, exact = ap.attribution(direct, method="gradient"), ap.single_lesions(direct)
print(exact.top(5))
print(f"gradients and cuts correlate at {np.corrcoef(guess.values, exact.values)[0, 1]:.3f}")
