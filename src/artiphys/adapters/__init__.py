"""Adapters: the table of sites of each family of networks.

Read adapter, module_events, in_series, module_axes, torch_module, recurrent; transformer, transformer_sites,
transformer_axes, probe_inputs, padding; then stages, cache_argument, last_block.
"""
