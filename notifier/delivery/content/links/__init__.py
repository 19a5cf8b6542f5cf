"""Links that authorize by themselves, and the variables of templates that hold them.

`delivery.accept`, `campaigns.arming` and the previews call `variables.py` for the values of `unsubscribe_url`,
`preferences_url` and `view_in_browser_url`; `delivery.messages` and `campaigns.sending` call `unsubscribe_link.py` for
the header List-Unsubscribe; `content.templates` calls `required.py` when it publishes; `notifier.web` reads the tokens.

Reading order: `sealed_link.py` seals a token; `unsubscribe_link.py`, `preferences_link.py` and `browser_link.py` say
what each token holds; `variables.py` gives a message its links; `required.py` says which parts need one.
"""
