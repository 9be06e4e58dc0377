"""`dcell tune`: search the training recipe on one's own data."""
