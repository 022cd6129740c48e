"""Adapters: one table of sites for each family of networks. Read wrap, adapter, torch_module, recurrent, transformer, then
stages and last_block."""
