"""A network that can be recorded from and lesioned.

Read wrap, wrap_checks, discovered, preparation, run, wiring, steadiness, identity, edge_players.
"""
