"""A wrapped network. Read preparation, then wiring."""
