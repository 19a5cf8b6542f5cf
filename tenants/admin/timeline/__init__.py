"""A person's timeline: messages, consent, proofs and changes in one list, newest first, in pages by key.

`tenants.admin.pages` serves the page (`page.TimelinePage`), on which it builds that of preferences. Packages above
register what they hold of a person in `AppConfig.ready` (`entries.register_source`), as the engine does with messages;
`sources` registers this package's own. Read `entries`, `sources`, `facts`, then `page`.
"""
