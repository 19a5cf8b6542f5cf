"""Tenants and the people whom they reach: the rows that every other package names, and who may see them.

* `models/`: tenants, members, API keys; recipients, devices, opt-outs; imports, the audit log.
* `database/`: row-level security; `access` sets the tenants that a transaction sees.
* `bootstrap`, `api_keys`, `members`, `categories`, `owners_mail`: setting a tenant up, and the rules of its parts.
* `audit` and `audit_heads`: the audit log, chained. `retention/`: what is too old, by what each package registers.
* `batch_slots` and `load_shedding/`: whose long tasks run, and what waits while the installation is overloaded.
* `people/` and `imports/`: what a recipient's fields may hold, and CSV files of recipients.
* `erasure` and `export`: what is stored of one person, emptied or shown, by what each package registers.
* `login/` and `admin/`: the browser's side.

The API, the engine, campaigns and the inbox call this package. It knows of them only what they register in
`AppConfig.ready`, and of `notifier` only errors, vocabulary and values; `login/` also encrypts (`notifier.encryption`),
and `admin/` offers the channels, encrypts, posts tasks (`notifier.tasks`) and streams downloads
(`notifier.web.serving.downloads`).
"""
