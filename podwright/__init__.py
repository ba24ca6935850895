"""Podwright: racks of switches, storage and servers as a multi-tenant private cloud."""
