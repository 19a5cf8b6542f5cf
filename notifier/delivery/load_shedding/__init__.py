"""Whether the installation is overloaded, decided from measured facts.

The task `notifier.watch_load` calls `watch` every two seconds. `reports` holds what web processes measured
(`notifier.web.load_meter` writes it), `facts` gathers the reports and how long urgent messages wait, `decide` says what
follows (pure), and `watch` writes the decision into the row that `tenants.load_shedding` reads.
"""
