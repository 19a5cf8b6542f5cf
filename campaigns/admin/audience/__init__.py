"""Audiences in the admin: the list, the form with its builder, the live count, uploads, and who was left out.

The site calls `page.AudienceAdmin`; `campaigns.admin.campaign` calls `reports.report_upload` and mixes in
`left_out.LeftOutView`. Reading order: `page`, `form`, `builder` (the vocabulary of the builder), `looking` (the count
and the sample while a filter is written), `uploading`, `reports` (what became of a file), `left_out`.
"""

from campaigns.admin.audience.page import AudienceAdmin
from campaigns.admin.audience.reports import report_upload

__all__ = ["AudienceAdmin", "report_upload"]
