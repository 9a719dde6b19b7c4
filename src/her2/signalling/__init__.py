"""Signalling: receptor equilibrium, pathway network and what a cell does with them (pure functions)."""
