"""Families of degradations: which kind of information one removes.

A family follows from the operations of a degradation. Those of the survey do not count,
because the reference has them too. Noise and effects of its own make a family only
where there is no other operation. Filters before a cut of values, or before its
control, belong to the cut: they smooth what is cut. Several families make a combined
one.
"""

from __future__ import annotations

from collections.abc import Sequence

from infoscope.vocabulary import Family


def family_of(families: Sequence[Family], *, other_survey: bool = False) -> Family:
    """Family of a degradation.

    Parameters
    ----------
    families
        Those of its own operations, in order.
    other_survey
        Whether it has noise or effects of its own.
    """
    other_survey = other_survey or Family.SURVEY in families
    left = [family for family in families if family is not Family.SURVEY]
    if Family.VALUES in left or Family.CONTROLS in left:
        while left[0] is Family.SCALES:
            del left[0]
    if not left:
        return Family.SURVEY if other_survey else Family.REFERENCE
    return left[0] if len(set(left)) == 1 else Family.COMBINED
