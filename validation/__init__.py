"""``make validate-dvh``: the DVH engine against closed formulas, brute force and other systems."""
