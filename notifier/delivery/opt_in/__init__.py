"""Double opt-in: an opt-in to a category holds when the recipient has confirmed it by a link in a mail.

`notifier.api.people.preferences` (for the API, the preferences page and the widget) calls `new_opt_ins.py`, which
decides what to keep back, and `requests.py`, which sends the mail; `notifier.web.links.opt_in` calls
`confirmation.py`. `texts.py` has the mail in en, de and es. Both write `tenants.models.OptInProof`; the mail leaves
through `delivery.accept`.
"""
