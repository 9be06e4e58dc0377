"""From raw ontology, annotation and genotype files to a cell graph and a store of mutant states."""
