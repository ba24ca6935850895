"""Images that the lab and an operator's cloud boot: built from Debian packages, cached by their recipe."""
