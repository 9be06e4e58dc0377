"""The states of genes in genotypes: 0 deleted, 1 as in the wild type, between them less of a gene.

A genotype lists genes that are not as in the wild type. In a text the state of one that is not
deleted stands behind its name, as in `YAL001C=0.5`. States are float32, as the store holds them.
"""

from data_specs.errors import InputError

WILD_TYPE, DELETED = 1, 0
LARGEST_STATE = 10.0
NEAREST = 1e-6  # of a state to the wild type's: float32 tells them apart


def is_state(state: float) -> bool:
    """Whether a gene that is not as in the wild type can have a state, by which 0 is a deletion."""
    return DELETED <= state <= LARGEST_STATE and abs(state - WILD_TYPE) > NEAREST


def name_and_state(part: str) -> tuple[str, float]:
    """The name in a part of a text, and the state behind `=`; 0, a deletion, where there is none.

    Raises:
        InputError: what stands behind `=` is no such state.
    """
    name, equals, text = part.rpartition("=")
    if not equals or not name.strip():
        return part, float(DELETED)
    try:
        state = float(text)
    except ValueError:
        state = float("nan")
    if not is_state(state):
        raise InputError(
            f"'{part}': '{text}' is no state of {name}; expected a number from 0 (deleted) to "
            f"{LARGEST_STATE:g} and not 1, which is the wild type"
        )
    return name.strip(), state


def with_state(name: str, state: float) -> str:
    """A name with the state of its gene as `name_and_state` reads it; a deletion's is not named."""
    return name if state == DELETED else f"{name}={state:g}"
