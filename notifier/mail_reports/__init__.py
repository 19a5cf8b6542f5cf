"""Reports of mail servers that come back as emails: bounces (RFC 3464) and complaints (RFC 5965). Pure functions: bytes
in, events out; no Django, no network.

The provider `smtp` calls `read_report` for a message that a mail server or `manage.py read_bounces` handed over, and
`return_path.address_for` for the envelope of each message that it sends. Read `report.py` first: it calls
`delivery_status.py`, `feedback.py` and `plain_text.py` for the three kinds of report. `dead_mailbox.py` decides whether
the words of a server mean that a mailbox does not exist; `smtp` asks the same about an answer in the SMTP dialogue.
"""
