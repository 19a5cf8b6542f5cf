"""The product's words as closed enums and frozen dataclasses. Everybody imports them; they import nothing of ours.

status.py     where a delivery stands, its lane and its reasons
ids.py        time-ordered identifiers
people.py     recipients as the engine sees them, and the request to reach one
http.py       what a client of HTTP does (notifier.transport implements it, providers use it)
verdicts.py   what a provider said of a message
"""
