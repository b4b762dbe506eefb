"""A random order of the rows, the same on every engine."""

from home_tf.engines import Expression

# A prime below which a product with a factor below 2^32 fits in 64 bits.
RANGE = 2**31 - 1


def shuffled(row: Expression, seed: int) -> Expression:
    """Random numbers below `RANGE`, a function of the row's number and the seed.

    Rounds of a linear congruential generator, with shifts between them so that
    neighbours do not stay at a constant distance. The engines have no hash function in
    common.

    Args:
        row: Numbers, 0 or greater.
        seed: Any whole number, 0 or greater.
    """
    mixed = (row + seed) % RANGE
    mixed = (mixed * 1_103_515_245 + 12_345) % RANGE
    mixed = mixed ^ (mixed >> 15)
    mixed = (mixed * 1_664_525 + 1_013_904_223) % RANGE
    mixed = mixed ^ (mixed >> 13)
    return (mixed * 1_566_083_941 + 7) % RANGE


def by_chance(row: Expression, seed: int, share: float) -> Expression:
    """Whether a row belongs to a random share of all rows."""
    return shuffled(row, seed) < round(share * RANGE)
