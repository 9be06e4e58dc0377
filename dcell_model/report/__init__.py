"""`dcell report`: one HTML page a run that opens offline, prints, and says how to repeat it."""
