"""One module for each group of pages; each page registers itself with `tenants.admin.site.admin_site`.

`accounts` (tenants, keys, users), `members`, `people` (recipients, devices, preferences), `consent` (categories,
suppressions), `records` (audit log, idempotency keys, schedules), `uploads` (imports). `tenants.admin` imports them.
Pages call the rules in `tenants`; they hold forms and lists only.
"""
