"""The admin in the person's language and in the tenant's time zone.

`language` is a middleware of `notifier.settings`; `time_zones` is called by `tenants.admin.site`, the base classes and
pages; `translated_names` gives models, fields and choices their names, once, from `tenants.apps`. The
`names_of_models`, `names_of_fields` and `names_of_choices` only list texts for `makemessages`. Each file can be read by
itself.
"""
