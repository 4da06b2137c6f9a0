"""Speed against the goals, side by side in one run: ``python -m benchmarks``."""
