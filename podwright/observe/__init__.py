"""Observation: what is seen on the devices, held against what was planned."""
