# %% [markdown]
# # Words in a language model
#
# Where does SmolLM2 hold who gives and who receives, how long a word is, and how much a number word means? Readers find
# a great deal in any large network, so each answer stands beside an untrained network, a control task, or words the
# reader never saw. Needs the `specimens` extra.

# %%
import copy
import itertools
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaForCausalLM

import artiphys as ap
from artiphys import plotting
from artiphys.specimens.smollm2 import TEMPLATES

folder = Path(tempfile.mkdtemp())
specimen = ap.specimens.load("smollm2-135m")
torch.manual_seed(0)
networks = {
    "trained": ap.wrap(specimen),
    "untrained": ap.wrap(LlamaForCausalLM(copy.deepcopy(specimen.model.config)).eval()),
}
tokens = specimen.tokenizer
sites = [f"blocks.{layer}.hook_resid_post" for layer in (0, 5, 10, 15, 20, 25, 29)]

# %% Who gives, who receives: all ordered pairs of five names, in eight sentences.
names = ["Mary", "John", "Tom", "Anna", "Paul"]
rows = []
for (giver, receiver), (t, template) in itertools.product(itertools.permutations(names, 2), enumerate(TEMPLATES)):
    first = (names.index(giver) + names.index(receiver) + t) % 2
    a, b = (receiver, giver) if first else (giver, receiver)
    rows.append((template.format(a=a, b=b, s=giver), giver, receiver, t))
text, giver, receiver, template = (list(column) for column in zip(*rows))
stimuli = ap.Stimuli.from_tokens(
    [tokens(line)["input_ids"] for line in text], {"giver": giver, "receiver": receiver, "sentence": template}
)

# %% Every site and position at once; whole sentences are left out of the reader's fit.
for name, prep in networks.items():
    rec = ap.record(prep, stimuli, sites, batch_size=40, progress=False)
    for label in ("giver", "receiver"):
        decoded = ap.decode(rec, label, groups="sentence", cv=4, alphas=[100.0], n_permutations=0)
        last = decoded.score.isel(time=-1)
        print(f"{name}, {label} at the last word, by layer: {last.values.round(2)} (chance {decoded.chance})")
        if label == "receiver":
            plotting.plot_time_course(decoded).figure.savefig(folder / f"receiver_{name}.png")


def at_word(recording, position=None):
    """Activity at one position of each prompt: the last of its own words by default, for prompts of any length."""
    made = {}
    for site in recording:
        activity = recording[site]
        where = position
        if where is None:
            where = activity["valid"].sum("time") - 1 if "valid" in activity.coords else activity.sizes["time"] - 1
        made[site] = activity.isel(time=where).drop_vars(["valid", "time"], errors="ignore")
    return made


# %% The number of letters of a word. Its identity is in the activity, so any labelling of the words can be read; that
# is what the control task measures. A property of words must be readable from words the reader never saw.
words = [
    "cat", "sun", "tree", "bird", "dog", "ship", "cup", "fish", "road", "moon", "egg", "book", "car", "door",
    "hand", "king", "milk", "rain", "ring", "rock", "roof", "sand", "seat", "snow", "song", "star", "wall",
    "wind", "wolf", "wood", "bell", "boat", "bone", "cake", "coin", "desk", "farm", "fire", "flag", "gate",
    "gift", "gold", "hill", "lake", "lamp", "leaf", "garden", "mountain", "window", "teacher", "elephant",
    "hospital", "football", "island", "picture", "country", "village", "machine", "kitchen", "student",
    "company", "holiday", "journey", "library", "soldier", "brother", "meeting", "station", "program",
    "message", "mixture", "captain", "chicken", "century", "science", "history", "culture", "service",
    "surface", "weather", "battery", "morning", "evening", "problem", "officer", "industry", "language",
    "computer", "business", "painting", "building",
]  # fmt: skip
carriers = ["I saw the {}", "This is about the {}", "She thought of the {}", "They spoke about the {}"]
rows = [(carrier.format(word), word, c) for word in words for c, carrier in enumerate(carriers)]
rows = [r for r in rows if len(tokens(f" {r[1]}", add_special_tokens=False)["input_ids"]) == 1]
stimuli = ap.Stimuli.from_tokens(
    [tokens(r[0])["input_ids"] for r in rows],
    {"long": ["long" if len(r[1]) > 5 else "short" for r in rows], "word": [r[1] for r in rows]},
)
print(f"{len(set(stimuli.conditions['word']))} words of one token in {len(carriers)} carriers")
for name, prep in networks.items():
    rec = ap.record(prep, stimuli, sites[:4], batch_size=40, progress=False)
    end = at_word(rec)
    same = ap.decode(end, "long", control="word", exchange="trials", n_controls=10, n_permutations=0)
    new = ap.decode(end, "long", groups="word", n_permutations=100)
    print(f"{name}: words seen {same.score.values.round(2)}, control {same.control.mean('control').values.round(2)}, "
          f"selectivity {same.selectivity().values.round(2)}")  # fmt: skip
    print(f"    words never seen {new.score.values.round(2)}, p corrected {new.p_corrected.values.round(3)}")

# %% Number words: are there units tuned to magnitude, and does a reader of some numbers understand others?
numbers = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
]  # fmt: skip
things = [
    "apples", "books", "cars", "days", "friends", "houses", "letters", "miles", "people", "questions", "songs",
    "trees",
]  # fmt: skip
stimuli = ap.Stimuli.from_tokens(
    [tokens(f"There are {n} {t}")["input_ids"] for n in numbers for t in things],
    {"magnitude": np.repeat(np.arange(1, 13), len(things)).astype(float), "thing": things * len(numbers)},
)
for name, prep in networks.items():
    rec = ap.record(prep, stimuli, sites, batch_size=48, progress=False)
    at_thing = at_word(rec, 3)
    held_out = ap.decode(at_thing, "magnitude", groups="magnitude", cv=4, n_permutations=0)
    tuning = ap.tuning_curves(at_thing[sites[3]], "magnitude", n_permutations=200, seed=0)
    tuned = float((tuning.p_fdr < 0.05).mean())
    by_layer = held_out.score.values.round(2)
    print(f"{name}: magnitude of numbers never seen, read one word later, R squared by layer {by_layer}")
    print(f"    {tuned:.0%} of units of layer 15 differ between numbers")
    if name == "trained":
        plotting.plot_tuning(tuning).figure.savefig(folder / "magnitude.png")

# %% [markdown]
# Reading lessons. An untrained network holds the giver at its last word better than the first trained layers do: random
# attention mixes all words, and the giver stands there twice. Length is read perfectly from words that were seen, and
# so is any random labelling of them; only the words never seen show that the trained network holds the length itself.
# And every unit of the untrained network differs between number words, without a reader of magnitude among them.
