"""What the first users broke, each mended: stale state, false errors, silent misuse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import artiphys as ap
from artiphys.cli import app
from artiphys.errors import ArtiphysError, InputError, LesionError, RecordingError, SiteError

X = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))


def net() -> ap.Preparation:
    torch.manual_seed(0)
    return ap.wrap(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval(), X)


def game(prep: ap.Preparation, **options: Any) -> ap.Game:
    return ap.Game(prep, X, ap.scores.output(), prep.players("1"), kind="zero", **options)


def test_decoding_of_nothing_is_not_significant() -> None:
    """Folds stratified by the labels must not favour the true labels over permuted ones."""
    d = ap.decode(np.zeros((100, 3)), np.arange(100) % 2)
    assert float(d.p_value) == 1.0 and float(d.null_mean) == 0.5 and d.scheme == "trials within folds"  # type: ignore[arg-type]
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sparse = (rng.random((40, 3)) < 0.03).astype(float)
        p.append(float(ap.decode(sparse, np.arange(40) % 2, n_permutations=39, seed=seed).p_value))  # type: ignore[arg-type]
    assert np.mean(np.array(p) <= 0.05) <= 0.08


def test_a_changed_weight_is_noticed_however_it_was_changed() -> None:
    prep = net()
    before, rec, g = prep.fingerprint(), ap.record(prep, X, "1"), game(prep)
    assert isinstance(g.intact, float)
    prep.model[0].weight.data += 1  # type: ignore[index]
    assert prep.fingerprint() != before != ap.record(prep, X, "1").attrs["model"]
    with pytest.raises(LesionError, match="make a new game"):
        g.intact  # noqa: B018
    with (
        pytest.raises(LesionError, match="another model"),
        ap.lesioned(prep, ap.Lesion("1", kind="mean", reference=rec)),
    ):
        pass


def test_a_game_inside_a_lesion_is_another_game() -> None:
    prep = net()
    g = game(prep)
    outside = g.intact
    with ap.lesioned(prep, ap.Lesion("0", kind="zero")):
        inside = g.intact
        assert inside == game(prep).intact != outside
    assert g.intact == outside


def test_a_lesion_upstream_of_another_is_no_inert_site() -> None:
    prep = net()
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion("2", kind="zero")):
        with ap.lesioned(prep, ap.Lesion("1", kind="zero")):
            assert not prep.run(X).outputs.any()
        assert not prep.run(X).outputs.any()
    assert prep.run(X).outputs.any()


def test_resuming_under_other_conditions_is_refused(tmp_path: Path) -> None:
    prep, path = net(), tmp_path / "r.zarr"
    s = ap.Stimuli(X, {"side": np.arange(12)})
    done: list[int] = []

    def stop(module: nn.Module, args: Any) -> None:
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    prep.look()
    handle = prep.model.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        ap.record(prep, s, "1", out=path, batch_size=3)
    handle.remove()
    with pytest.raises(RecordingError, match="other lesions"), ap.lesioned(prep, ap.Lesion("0", kind="zero")):
        ap.record(prep, s, "1", out=path)
    with pytest.raises(RecordingError, match="other conditions"):
        ap.record(prep, ap.Stimuli(X, {"side": np.arange(12) + 1}), "1", out=path)
    assert ap.record(prep, s, "1", out=path).n_trials == 12


def test_train_mode_with_chance_or_batch_in_it_is_refused() -> None:
    for extra in (nn.BatchNorm1d(4), nn.Dropout(0.1)):
        prep = ap.wrap(nn.Sequential(nn.Linear(3, 4), extra, nn.Linear(4, 2)).train(), X)
        state = {n: b.clone() for n, b in prep.model.named_buffers()}
        for use in (
            lambda p: ap.record(p, X, "0"),
            lambda p: ap.Game(p, X, ap.scores.output(), p.players("0"), kind="zero"),
        ):
            with pytest.raises(InputError, match="eval"):
                use(prep)
        assert all(torch.equal(b, state[n]) for n, b in prep.model.named_buffers())
        prep.model.eval()
        assert ap.record(prep, X, "0").n_trials == 12


def test_time_first_networks_are_told_what_is_wanted() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.gru(x)[0])

    with pytest.raises(InputError, match="batch_first=False, but trials reach it on axis 0"):
        ap.wrap(TimeFirst(), torch.randn(10, 6, 3)).look()


def test_an_unwrapped_preparation_says_so() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=9, n_positions=8)).eval()
    prep = ap.wrap(model)
    with pytest.raises(InputError, match=r"unwrap\(\) first"):
        ap.wrap(model, torch.tensor([[1, 2]]), as_module=True)
    prep.look()
    prep.unwrap()
    with pytest.raises(ArtiphysError, match="wrap the model again"):
        prep.run(torch.tensor([[1, 2]]))


@dataclass
class Out:
    logits: Tensor
    hidden: Tensor


class Records(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.o = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Out:
        h = torch.relu(self.a(x))
        return Out(self.o(h), h)


def test_dataclass_outputs() -> None:
    prep = ap.wrap(Records().eval(), X)
    score: Any = lambda out, trials: out.logits[:, 0]
    small, large = (
        ap.Game(prep, X, score, prep.players("a"), kind="zero", batch_size=n)([[True] * 4, [False] * 4])
        for n in (1, 99)
    )
    assert small == pytest.approx(large) and prep.sites["output[logits]"].name == "o"

    class Plain:
        def __init__(self, y: Tensor) -> None:
            self.y = y

    class Opaque(Records):
        def forward(self, x: Tensor) -> Any:
            return Plain(super().forward(x).logits)

    with pytest.raises(SiteError, match="holds no tensor"):
        ap.wrap(Opaque().eval(), X).require_wired("a")


def test_scores_see_the_output_class_the_model_returns() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])
    model = BertForSequenceClassification(config).eval()
    prep = ap.wrap(model, {"input_ids": tokens}, as_module=True)
    score: Any = lambda out, trials: out.logits[:, 0]
    g = ap.Game(prep, {"input_ids": tokens}, score, prep.players("bert.pooler.activation", units=range(3)), kind="zero")
    assert ap.shapley(g).gap == pytest.approx(0, abs=1e-9)


def test_vision_transformers_take_an_example() -> None:
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, image_size=8, patch_size=4,
        num_labels=3,
    )  # fmt: skip
    pixels = torch.randn(4, 3, 8, 8)
    model = ViTForImageClassification(config).eval()
    with torch.no_grad():
        expected = model(pixels).logits
    prep = ap.wrap(model, example=pixels)
    rec = ap.record(prep, pixels, "blocks.*.attn.hook_z")
    assert rec["blocks.0.attn.hook_z"].dims == ("trial", "time", "head", "unit")
    with torch.no_grad():
        torch.testing.assert_close(prep.run(pixels).outputs, expected, atol=1e-5, rtol=1e-5)
    g = ap.Game(prep, pixels, ap.scores.log_prob([0, 1, 2, 0]), prep.players("blocks.*.attn.hook_z"), kind="zero")
    assert ap.shapley(g).gap == pytest.approx(0, abs=1e-9) and abs(g.intact - g.lesioned) > 1e-6


def test_many_players_at_one_site() -> None:
    prep = ap.wrap(nn.Sequential(nn.Linear(3, 5000), nn.ReLU(), nn.Linear(5000, 1)).eval(), X)
    g = ap.Game(prep, X, ap.scores.output(), prep.players("1"), kind="mean")
    keep = np.random.default_rng(0).random((3, 5000)) < 0.5
    got = g(keep)
    with torch.no_grad():
        h = torch.relu(prep.model[0](X))  # type: ignore[index]
        mixed = [torch.where(torch.as_tensor(k), h, h.mean(0)) for k in keep]
        expected = [float(prep.model[2](m).double().mean()) for m in mixed]  # type: ignore[index]
    assert got == pytest.approx(expected, abs=1e-5)


SILENT: list[tuple[Any, str]] = [
    (lambda: ap.Lesion("1", units=[1.5], kind="zero"), "whole numbers"),  # type: ignore[list-item]
    (lambda: ap.Lesion("1", units=True, kind="zero"), "whole numbers"),
    (lambda: ap.Lesion("1", kind="zero", time=[1.5]), "time came as"),  # type: ignore[list-item]
    (lambda: ap.Lesion("1", kind="zero", time=[]), "no times"),
    (lambda: ap.Lesion("1", kind="zero", time=slice(5, 5)), "empty"),
    (lambda: ap.Lesion("1", kind="resample", reference=ap.Stimuli(X), donors=[1, 2]), "mapping"),  # type: ignore[arg-type]
    (lambda: ap.Stimuli.from_tokens([[1.9, 2.2]]), "whole numbers"),  # type: ignore[list-item]
    (lambda: ap.Stimuli(X, [1] * 12), "mapping of columns"),  # type: ignore[arg-type]
    (lambda: ap.Stimuli(X, {"label": 3}), "one value a trial|rows for"),
    (lambda: ap.Stimuli(X, ids=["a"] * 12), "different integers"),  # type: ignore[list-item]
    (lambda: ap.Stimuli(X)[100], "does not select among 12"),
    (lambda: ap.Stimuli(X)[5:5], "no trials are left"),
    (lambda: net().players("1", units=[1.5]), "whole numbers"),  # type: ignore[list-item]
    (lambda: ap.wrap(net().model, X, steps=["cel"]).look(), "no module 'cel'"),
    (lambda: ap.wrap(net().model, torch.zeros(2, 7)).look(), "could not be run"),
    (lambda: ap.record(net(), X, 3), "sites came as int"),  # type: ignore[arg-type]
    (lambda: ap.Game(net(), X, ap.scores.output(), [3], kind="zero"), "player came as"),  # type: ignore[list-item]
    (lambda: ap.Game(p := net(), X, ap.scores.output(9), p.players("1"), kind="zero").intact, "has 2 outputs"),
    (
        lambda: ap.Game(p := net(), X, ap.scores.accuracy([0.5] * 12), p.players("1"), kind="zero").intact,
        "class indices",
    ),
    (
        lambda: ap.Game(p := net(), X, ap.scores.log_prob(["a"] * 12), p.players("1"), kind="zero").intact,  # type: ignore[list-item]
        "class indices",
    ),
    (lambda: ap.Game(p := net(), X, lambda o, t: None, p.players("1"), kind="zero").intact, "NoneType"),
    (lambda: ap.Game(p := net(), X, lambda o, t: o[:, 0] / 0, p.players("1"), kind="zero").intact, "infinite"),
    (lambda: ap.Game(p := net(), X, lambda o, t: o[:, 0] + 1j, p.players("1"), kind="zero").intact, "complex"),
    (lambda: ap.decode(X, np.arange(12) % 2, n_permutations=-1), "0 or more"),
    (lambda: ap.decode(np.zeros((0, 3)), []), "empty"),
    (lambda: ap.decode(X, np.arange(12) % 2, nn.Linear), "the class Linear"),
    (lambda: ap.tuning_curves(X, np.arange(12), bins=0), "at least 2"),
    (lambda: ap.tuning_curves(X, np.arange(12), circular=True, period=0), "positive"),
]


@pytest.mark.parametrize(("use", "message"), SILENT)
def test_what_was_silently_accepted_or_raw(use: Any, message: str) -> None:
    with pytest.raises(ArtiphysError, match=message):
        use()


def test_bert_without_a_head_is_pointed_both_ways() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    with pytest.raises(InputError, match="as_module=True"):
        ap.wrap(BertModel(config))


@pytest.mark.parametrize(("options", "message"), [(["--seed", "-1"], "greater"), (["--out", "FILE"], "is a file")])
def test_command_line_errors(options: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("")
    arguments = [o.replace("FILE", str(tmp_path / "f.txt")) for o in options]
    done = CliRunner().invoke(app, ["examine", "xor", "--out", str(tmp_path / "r"), *arguments])
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output
