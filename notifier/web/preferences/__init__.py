"""/preferences/<token>: a recipient's own page for channels, categories, quiet hours and language, without a login.

notifier/urls.py names the view. Read `page` (the view) first, then `form` (what was sent, as preferences; pure),
`state` (what the page shows), `renewal` (a new link by mail for one that has ended) and `texts` (en, de, es).
`notifier.delivery.content.links.preferences_link` makes the links; `notifier.api.people.preferences` stores.
"""

from notifier.web.preferences.page import PreferencesPage

__all__ = ["PreferencesPage"]
