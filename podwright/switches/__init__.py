"""Pod switches: what they shall be, how that differs from what they are, and drivers that make it so."""
