"""The version: a literal in a module of its own, so that building imports no torch and no room imports the top."""

__version__ = "0.1.0"
