"""Pure rules about single values: locales, time zones, time stamps, push tokens, storable text, edges of a text,
the text of an SMS, internal network addresses.

Every package above calls them; they call only `notifier.errors`. Each module stands alone.
"""
