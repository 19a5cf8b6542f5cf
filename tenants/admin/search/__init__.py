"""The search box of the header: one term finds people, messages, campaigns, templates and pages.

`tenants.admin.site` serves the page and calls `page.find_view`. Each app registers its finders in `AppConfig.ready`
(`finders.register_finder`), so that no lower app names a higher one. Read `terms`, `finders`, `page`, then `people`.
"""
