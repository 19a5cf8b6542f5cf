"""Template versions and their rendering. Acceptance, arming and the admin call `templates.py`.

Reading order: `templates.py` publishes, parses and renders versions, and calls `publishing/`; `partly_rendered.py` is
one content for all recipients of a campaign; `rules.py` checks rendered parts by the rules of the channel and its
providers; `liquid/` is the Liquid of one text.

Beside them: `attachments/` has the files of emails, `links/` the links that opt out, lead to the preferences and show
an email in a browser, `tracking/` the links and the image by which opens and clicks are seen. `unread_counts.py` counts
for the badge of a push.
"""
