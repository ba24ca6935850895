"""Proof of isolation: whether configurations keep apart who must be apart, and join who must be joined.

It reads what devices are told, rendered or collected, each in its own syntax, and never the plan. Of the
inventory it takes what people declared: devices, cables, networks, and which
machine is whose. docs/proof.md says what is proved, and what is not.
"""
