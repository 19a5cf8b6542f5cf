"""/status/<slug>: a tenant's public status page, if the tenant has switched it on.

Read `page` (the view) first, then `shown` (what the page shows, kept for five seconds) and `texts` (en, de, es).
"""

from notifier.web.status.page import status_page

__all__ = ["status_page"]
