"""Values of coalitions that are known already, in memory and on disk.

Read keys, in_memory, campaign, layered.
"""
