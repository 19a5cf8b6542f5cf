"""A person's timeline: messages, consent, proofs and changes in one list, newest first, in pages by key.

`tenants.admin.pages.people` serves the page (`page.TimelinePage`). Packages above register what they hold of a person
in `AppConfig.ready` (`entries.register_source`), as the engine does with messages. Read `entries`, `sources`, `facts`,
then `page`.
"""
