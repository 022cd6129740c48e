"""Verification: methods of analysis examined on toys whose answers are known.

Read methods (what is examined, and how others enter theirs), answers (what artiphys' own analyses say),
compiled_answers (of programs in transformers), result (the board), scoring (the examination).
"""

from artiphys.verification.methods import Method, method
from artiphys.verification.result import Scoreboard
from artiphys.verification.scoring import verify

__all__ = ["Method", "Scoreboard", "method", "verify"]
