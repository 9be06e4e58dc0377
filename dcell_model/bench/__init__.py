"""`dcell bench`: times of training steps, the loader and the store, as table and record."""
