"""Pure rules about single values: locales, time zones, time stamps, push tokens, storable text, edges of a text.

Every package above calls them; they call only `notifier.errors`. Each module stands alone.
"""
