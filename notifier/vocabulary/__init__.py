"""The product's words as closed enums and frozen values. Every package imports them; they import only errors and
`notifier.values`.

status.py     the status of a delivery, its lane, its queue position and its reasons
ids.py        time-ordered identifiers
people.py     recipients as the engine sees them, and the request to reach one
http.py       requests, answers and the HTTP client (notifier.transport implements it, providers use it)
verdicts.py   what a provider answered for a message
receipts.py   what a provider's server reports later
checks.py     what "test connection" found out about an account
content.py    a tenant's rules for content, and what it tracks
mail.py       mailboxes, attachments, bounce mailboxes
routes.py     the steps of a fallback route
digests.py    how messages are gathered into one
"""
