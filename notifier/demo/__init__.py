"""`make demo`: a CSV of recipients, a campaign from its draft to its report, and one API call beside it.

The command `manage.py demo` calls `run`, which uses the surfaces that users have: the streaming import and the REST
API. At the end it compares the ledger with what the sandbox counted.

run       the demo from an empty tenant to the report
workflow  its steps over the REST API
content   its templates, with `layout.html`
people    the CSV
devices   its push tokens, of three services
compare   ledger and receiver, message by message
console   lines and live lines on the terminal
client    a small REST client
"""
