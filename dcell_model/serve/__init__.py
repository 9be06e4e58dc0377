"""`dcell serve`: a trained model on a local web page."""
