"""Families of degradations: the kind of information that a degradation removes.

The family of a degradation follows from its operations. Operations of the survey are
ignored, because they are applied to the reference too. Noise or effects that override
the survey decide the family only if there is no other operation. Filters before a cut
in the convergence, or before its control, belong to the cut, because they smooth the
map that is cut. Operations of several families make the degradation `combined`.
"""

from __future__ import annotations

from collections.abc import Sequence

from infoscope.vocabulary import Family


def family_of(families: Sequence[Family], *, other_survey: bool = False) -> Family:
    """Return the family of a degradation.

    Parameters
    ----------
    families
        Families of its operations, in order, without those of the survey.
    other_survey
        Whether its noise or effects override those of the survey.

    Examples
    --------
    >>> family_of([Family.SCALES, Family.VALUES]).value
    'values'
    >>> family_of([Family.VALUES, Family.SCALES]).value
    'combined'
    """
    other_survey = other_survey or Family.SURVEY in families
    relevant = [family for family in families if family is not Family.SURVEY]
    if Family.VALUES in relevant or Family.CONTROLS in relevant:
        while relevant[0] is Family.SCALES:
            del relevant[0]
    if not relevant:
        return Family.SURVEY if other_survey else Family.REFERENCE
    return relevant[0] if len(set(relevant)) == 1 else Family.COMBINED
