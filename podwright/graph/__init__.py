"""A picture of a cloud: what is where, and which cable leads to whom."""
