"""The product's words as closed enums and frozen values. Every package imports them; they import no other package.

status.py     the status of a delivery, its lane, its queue position and its reasons
ids.py        time-ordered identifiers
people.py     recipients as the engine sees them, and the request to reach one
http.py       requests, answers and the HTTP client (notifier.transport implements it, providers use it)
verdicts.py   what a provider answered for a message
"""
