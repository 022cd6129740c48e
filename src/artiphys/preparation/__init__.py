"""A network that can be recorded from and lesioned.

Read wrap, preparation, wiring.
"""
