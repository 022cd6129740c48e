"""Stimuli: what a network is shown, and a table of conditions with one row per trial."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from artiphys.border import shown
from artiphys.digests import tensor_bytes
from artiphys.errors import InputError
from artiphys.missing import is_missing, plain_array, require_plain

Inputs = Tensor | Mapping[str, Tensor]


class Stimuli:
    """Model inputs with trials on axis 0, and their conditions.

    Parameters
    ----------
    inputs : Tensor or mapping of Tensors
        ``(trial, ...)``. A mapping is passed to the model by keyword; its ``attention_mask`` says
        which positions are real and which padding.
    conditions : DataFrame or mapping of columns, optional
        One row per trial; carried along as coordinates of everything that is recorded.
    ids : sequence of int, optional
        Stable identity of each trial (default 0, 1, 2, ...); kept when stimuli are sliced, so that
        donors and noise belong to a trial and not to its place in a batch.

    Raises
    ------
    InputError
        If the inputs are no tensors, or lengths differ.

    Examples
    --------
    >>> s = Stimuli(torch.zeros(4, 2), {"side": ["left", "left", "right", "right"]})
    >>> len(s), len(s[s.conditions["side"] == "left"])
    (4, 2)
    """

    def __init__(
        self,
        inputs: Inputs,
        conditions: pd.DataFrame | Mapping[str, Any] | None = None,
        *,
        ids: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]] | None = None,
    ) -> None:
        self.inputs = _checked(inputs)
        n = len(next(iter(_tensors(self.inputs))))
        for t in _tensors(self.inputs):
            if len(t) != n:
                raise InputError(f"inputs have {n} and {len(t)} trials on axis 0; all need the same number")
        if n == 0:
            raise InputError("stimuli need at least one trial; got none")
        self.conditions = _table({} if conditions is None else conditions)
        if len(self.conditions.columns) == 0:
            self.conditions = pd.DataFrame(index=range(n))
        if len(self.conditions) != n:
            raise InputError(
                f"the conditions table has {len(self.conditions)} rows for {n} trials; give one row per trial"
            )
        self.conditions = self.conditions.reset_index(drop=True)
        try:
            self.ids = np.arange(n, dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"ids must be {n} different integers, one per trial") from error
        if self.ids.shape != (n,) or len(np.unique(self.ids)) != n:
            raise InputError(f"ids must be {n} different integers, one per trial")

    def with_own_conditions(self) -> Stimuli:
        """The same inputs with a copy of the conditions: edits of the table do not reach it."""
        new = copy.copy(self)
        new.conditions = self.conditions.copy()
        return new

    @classmethod
    def of(cls, inputs: Stimuli | Inputs) -> Stimuli:
        """Stimuli as they are, or made from a tensor or a mapping of tensors."""
        return inputs if isinstance(inputs, Stimuli) else cls(inputs)

    @classmethod
    def from_tokens(
        cls,
        tokens: Sequence[Sequence[int] | Tensor],
        conditions: pd.DataFrame | Mapping[str, Any] | None = None,
        *,
        pad_id: int = 0,
    ) -> Stimuli:
        """Stimuli from token sequences of any lengths, padded on the right and masked.

        >>> Stimuli.from_tokens([[5, 6, 7], [8]]).valid
        tensor([[ True,  True,  True],
                [ True, False, False]])
        """
        if not isinstance(tokens, (Sequence, np.ndarray, Tensor)) or getattr(tokens, "ndim", 1) == 0:
            raise InputError(f"tokens came as {shown(tokens)}; wanted a list of sequences of token ids")
        if isinstance(tokens, str) or any(isinstance(t, str) for t in tokens):
            raise InputError("tokens came as text; use Stimuli.from_texts(prep.tokenizer, texts) instead")
        if isinstance(tokens, Tensor) and tokens.layout is not torch.strided:
            tokens = tokens.to_dense()
        try:
            given = [torch.as_tensor(t) for t in tokens]
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"tokens must be sequences of whole numbers (token ids): {error}") from error
        if any(t.is_floating_point() or t.is_complex() or t.dtype == torch.bool for t in given):
            raise InputError("tokens must be whole numbers (token ids); they came as another type")
        rows = [t.long() for t in given]
        if not rows or any(r.ndim != 1 or len(r) == 0 for r in rows):
            raise InputError("tokens must be a non-empty list of non-empty sequences of token ids")
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)
        lengths = torch.tensor([len(r) for r in rows])
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
        return cls({"input_ids": ids, "attention_mask": mask}, conditions)

    @classmethod
    def from_texts(
        cls,
        tokenizer: Any,
        texts: Sequence[str],
        conditions: pd.DataFrame | Mapping[str, Any] | None = None,
    ) -> Stimuli:
        """Stimuli from texts, by a tokenizer such as ``prep.tokenizer``."""
        if tokenizer is None:
            raise InputError("this preparation has no tokenizer; wrap with tokenizer= or use Stimuli.from_tokens")
        pad = getattr(tokenizer, "pad_token_id", None)
        tokens = [tokenizer(t)["input_ids"] for t in texts]
        return cls.from_tokens(tokens, conditions, pad_id=0 if pad is None else int(pad))

    @property
    def valid(self) -> Tensor | None:
        """Bool ``(trial, time)``, True where a position is no padding; None if nothing is padded."""
        mask = self.inputs.get("attention_mask") if isinstance(self.inputs, Mapping) else None
        return None if mask is None or mask.ndim != 2 else mask.bool()

    def valid_of(self, sequence: str) -> Tensor | None:
        """As `valid`, of the inputs (``""``), or of the sequence that a decoder is given (``"decoder"``)."""
        if not sequence:
            return self.valid
        mask = self.inputs.get(f"{sequence}_attention_mask") if isinstance(self.inputs, Mapping) else None
        return None if mask is None or mask.ndim != 2 else mask.bool()

    @property
    def ragged(self) -> bool:
        """True if trials have different lengths."""
        valid = self.valid
        return valid is not None and not bool(valid.all())

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Stimuli:
        try:
            rows = np.atleast_1d(np.arange(len(self))[index if isinstance(index, slice) else np.asarray(index)])
        except IndexError as error:
            raise InputError(f"{index!r} does not select among {len(self)} trials: {error}") from error
        if len(rows) == 0:
            raise InputError("no trials are left in this selection")
        take = torch.as_tensor(rows)

        # A slice stays a view: copying a million trials to read 256 of them would cost memory.
        def pick(t: Tensor) -> Tensor:
            return t[index] if isinstance(index, slice) else t[take.to(t.device)]

        inputs = {k: pick(v) for k, v in self.inputs.items()} if isinstance(self.inputs, Mapping) else pick(self.inputs)
        return self._like(inputs, self.conditions.iloc[rows].reset_index(drop=True), self.ids[rows])

    def tiled(self, times: int) -> Inputs:
        """The inputs of all trials, several times over (one copy per coalition)."""
        if times == 1:
            return self.inputs
        if isinstance(self.inputs, Mapping):
            return {k: torch.cat([v] * times) for k, v in self.inputs.items()}
        return torch.cat([self.inputs] * times)

    @classmethod
    def _like(cls, inputs: Inputs, conditions: pd.DataFrame, ids: np.ndarray[Any, Any]) -> Stimuli:
        # Parts of checked stimuli need no second look.
        new = cls.__new__(cls)
        new.inputs, new.conditions, new.ids = inputs, conditions, ids
        return new

    def batches(self, size: int) -> Iterator[Stimuli]:
        """Consecutive batches of at most ``size`` trials."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def form(self) -> str:
        """What of the inputs decides how a forward pass runs: names, types and sizes of a trial, and padding."""
        named = self.inputs.items() if isinstance(self.inputs, Mapping) else [("", self.inputs)]
        return "; ".join(f"{n} {t.dtype} {tuple(t.shape[1:])}" for n, t in named) + f"; ragged {self.ragged}"

    def conditions_digest(self) -> str:
        """Digest of the conditions table."""
        h = hashlib.blake2b(digest_size=16)
        for column in self.conditions.columns:
            values = self.conditions[column].to_numpy()
            h.update(f"{column}:{values.dtype.kind}".encode())
            missing = is_missing(values)
            if values.dtype == object and missing.any():
                h.update(b"missing" + missing.tobytes())  # or None would be the text "None"
            h.update(values.tobytes() if values.dtype.kind in "biuf" else "\0".join(map(str, values)).encode())
        return h.hexdigest()

    def digest(self) -> str:
        """Digest of inputs and trial ids (not of the conditions)."""
        h = hashlib.blake2b(digest_size=16)
        named = self.inputs.items() if isinstance(self.inputs, Mapping) else [("", self.inputs)]
        for name, t in named:
            h.update(f"{name}{t.dtype}{tuple(t.shape)}".encode())
            h.update(tensor_bytes(t))
        h.update(self.ids.tobytes())
        return h.hexdigest()

    def __repr__(self) -> str:
        shapes = (
            {k: tuple(t.shape) for k, t in self.inputs.items()}
            if isinstance(self.inputs, Mapping)
            else (tuple(self.inputs.shape))
        )
        return f"Stimuli({len(self)} trials, inputs {shapes}, conditions {list(self.conditions.columns)})"


def _table(conditions: Any) -> pd.DataFrame:
    if not isinstance(conditions, (pd.DataFrame, Mapping)):
        raise InputError(
            f"conditions came as {type(conditions).__name__}; wanted a table or a mapping of columns, such as "
            "{'label': labels}"
        )
    try:
        names = [str(k) for k in conditions]
        if len(set(names)) < len(names):
            raise InputError(f"two columns of the conditions have the same name, among {names}; rename one")
        return pd.DataFrame({str(k): plain_array(v) for k, v in conditions.items()})
    except ValueError as error:
        raise InputError(
            f"the columns of the conditions do not fit together: {error}; give one value per trial"
        ) from error


def _tensors(inputs: Inputs) -> list[Tensor]:
    return list(inputs.values()) if isinstance(inputs, Mapping) else [inputs]


def _checked(inputs: Inputs) -> Inputs:
    if isinstance(inputs, Mapping):
        if not inputs:
            raise InputError("inputs came as an empty mapping; it needs at least one tensor")
        return {str(k): _tensor(v, str(k)) for k, v in inputs.items()}
    return _tensor(inputs, "inputs")


def _tensor(value: Any, name: str) -> Tensor:
    if isinstance(value, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(value).reshape(len(value), -1).any(axis=1) if value.ndim else np.ones(1)
        if masked.any():
            raise InputError(f"{name} is masked in {int(masked.sum())} trials; remove or replace these trials first")
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise InputError(f"{name} came as an array of {value.dtype}; a network takes numbers")
        # A copy: of the machine's own byte order and in one piece, as torch wants it, and its owner may write to his.
        value = torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C", copy=True))
    if isinstance(value, str) or (isinstance(value, (list, tuple)) and any(isinstance(v, str) for v in value)):
        raise InputError(
            f"{name} came as text; a network takes tensors. "
            "For a language model use Stimuli.from_texts(prep.tokenizer, texts)"
        )
    if not isinstance(value, Tensor) or type(value).__name__ == "MaskedTensor":
        raise InputError(
            f"{name} came as {type(value).__name__}; wanted a tensor (trial, ...), or a mapping of tensors. "
            "Token lists of different lengths go through Stimuli.from_tokens"
        )
    require_plain(value, name)
    if value.ndim == 0:
        raise InputError(f"{name} is a single number; trials must lie on axis 0")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise InputError(f"{name} holds NaN or infinite values; remove or replace these trials first")
    return value
