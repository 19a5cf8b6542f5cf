"""The admin in the person's language and in the tenant's time zone; the names of models, fields and choices for
`makemessages`."""
