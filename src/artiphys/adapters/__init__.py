"""Adapters: the table of sites of each family of networks.

Read adapter, module_events, in_series, module_axes, torch_module, unusable, recurrent, recurrent_sites; weighted_maps,
connections; transformer, transformer_sites, transformer_axes, transformer_connections, residual_stream, probe_inputs,
padding; then stages, cache_argument, last_block.
"""
