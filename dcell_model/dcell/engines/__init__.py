"""Ways to run one DCell: each maps a model and a batch to the predictions of all heads."""
