"""A network that can be recorded from and lesioned.

Read wrap, wrap_checks, preparation, run, wiring, steadiness, identity.
"""
