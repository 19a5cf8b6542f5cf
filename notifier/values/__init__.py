"""Pure rules about single values: locales, time zones, times and durations as texts, send windows, push tokens,
storable text, edges of a text, the text of an SMS, internal network addresses.

Every package above calls them; they call only `notifier.errors` and, where a value has a time, `zones` and
`timestamps`.
"""
