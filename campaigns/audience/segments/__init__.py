"""Segments: a JSON filter is checked into conditions, and conditions become parameterised SQL over `r`
(tenants_recipient). Pure.

`campaigns.audience.queries` compiles; the editing of audiences and campaigns checks. Reading order: `conditions` (what
a condition and a group are), `fields` (which fields there are, and their operators), `checking` and `values` (raw JSON
to conditions), `compiling`, `attributes`, `membership` and `activity` (conditions to SQL). Statements about messages
come from the ledger.
"""

from campaigns.audience.segments.checking import check_filter
from campaigns.audience.segments.compiling import compile_filter
from campaigns.audience.segments.conditions import Condition, Filter, Group, Match, Sql, leaves, values_of
from campaigns.audience.segments.fields import NAMED_FIELDS

__all__ = [
    "NAMED_FIELDS",
    "Condition",
    "Filter",
    "Group",
    "Match",
    "Sql",
    "check_filter",
    "compile_filter",
    "leaves",
    "values_of",
]
