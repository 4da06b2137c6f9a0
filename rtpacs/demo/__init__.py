"""What do new users see first? Synthetic patients, generated in seconds, of no real person."""

from rtpacs.demo.generator import DemoData, DemoSet, generate

__all__ = ["DemoData", "DemoSet", "generate"]
