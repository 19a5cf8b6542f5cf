"""Template versions and their rendering. Acceptance, arming and the admin call `templates.py`.

Reading order: `templates.py` publishes, parses and renders versions, and calls `publishing/`; `partly_rendered.py` is
one content for all recipients of a campaign, `whole_messages.py` for single messages; `rules.py` checks rendered parts
by the rules of the channel and its providers; `liquid/` is the Liquid of one text; `marketing.py` checks templates that
become marketing later.

Beside them: `attachments/` has the files of emails, `links/` the links that opt out, lead to the preferences and show
an email in a browser, `tracking/` the links and the image by which opens and clicks are seen. `unread_counts.py` counts
for the badge of a push, `images.py` keeps uploaded pictures. For editors: `checking.py` finds every mistake of a
content, `mail_frames.py` shows an email in a frame.
"""
