"""`dcell bench`: what a training step, the loader and the store cost, as a table and a record."""
