"""Values that were computed before, in memory and on disk. Read keys, in_memory, campaign, then layered."""
