"""Audiences in the admin: the list, the form with its builder, the live count, and uploads.

The site calls `page.AudienceAdmin`; the pages of a campaign call `reports.report_upload`. Reading order: `page`,
`form`, `builder` (the vocabulary of the builder), `looking` (the count and the sample while a filter is written),
`uploading`, `reports` (what became of a file).
"""

from campaigns.admin.audience.page import AudienceAdmin
from campaigns.admin.audience.reports import report_upload

__all__ = ["AudienceAdmin", "report_upload"]
