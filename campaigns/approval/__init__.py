"""What GO asks for before a campaign leaves: the approval of its content by a second person, and a test send.

Launches (`campaigns.lifecycle`) call `check_cleared`; editing calls `supersede`; the API and the admin call the rest.
Packages above add what else belongs to the content with `add_part`. This package calls the models and the audit log.
Read `rules` (which campaigns need it, what is refused), then `content` (the hash), `authors`, `clearance`, `decide`.
"""

from campaigns.approval.clearance import Clearance, check_cleared, clearance, is_approved
from campaigns.approval.content import add_part, content_hash
from campaigns.approval.decide import approve, reject, request_approval, supersede, withdraw

__all__ = [
    "Clearance",
    "add_part",
    "approve",
    "check_cleared",
    "clearance",
    "content_hash",
    "is_approved",
    "reject",
    "request_approval",
    "supersede",
    "withdraw",
]
