"""Programs compiled into a stock Phi-3 by an optional package.

Read compiler, then compiled.
"""
