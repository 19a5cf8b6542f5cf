"""One module for each group of pages; each page registers itself with `tenants.admin.site.admin_site`.

`accounts` (tenants, keys, users; with `tenant_limits` and `page_texts`, which are parts of a tenant's page), `members`,
`invitations`, `people` (recipients, devices; with `erasure`, and `preferences` with the pure `preference_choices`),
`consent` (categories, suppressions), `records` (audit log, idempotency keys, schedules), `uploads` (imports, with
`import_files`). `tenants.admin` imports them. Pages call the rules in `tenants`; they hold forms and lists only.
"""
