"""The DANGO-style model: what gene networks alone say of a genotype, beside DCell."""
