"""The version: a literal in a module of its own, so that building imports no torch."""

__version__ = "0.2.0"
