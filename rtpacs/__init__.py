"""The open radiotherapy PACS."""

__version__ = "0.1.0"
