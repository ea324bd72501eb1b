"""The version of mibench, which every stored row carries."""

__version__ = "0.1.0"
