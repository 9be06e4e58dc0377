"""The options of each command of `dcell`, and what it calls; the work is done elsewhere."""
