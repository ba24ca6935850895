"""The cloud as its inventory declares it: read, checked and frozen."""

from podwright.model.cloud import Cloud
from podwright.model.source import load

__all__ = ["Cloud", "load"]
