"""Which subsystems a trained DCell rests on, judged on genotypes that it has not seen."""
