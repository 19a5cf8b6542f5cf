"""The links and the image by which the site sees that an email was opened and which of its links was clicked.

`delivery.dispatch` and `campaigns.sending.bodies` call `tracked_html.py`, which puts them into a page as the tenant
chose; `html_links.py` finds the links of a page; `tracked_link.py` signs an address, and reads it when `notifier.web`
gets a request for it. What was seen is stored by `delivery.engagement`.
"""
