"""DCell on built data: `dataset` reads the store, `model` is the network, `train` fits it."""
