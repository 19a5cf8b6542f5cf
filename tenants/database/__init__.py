"""What the database's `web` role may see and do; nothing else of the product may be imported here.

`isolation` writes the policies of row-level security for migrations, `signed_settings` makes the values that the
policies read, `grants` lists the rights on each table, `connections` and `pooled` are for poolers and the read replica.
Migrations call the first two; `tenants.apps` applies grants and keys after each `migrate`; `tenants.access` signs the
scope of every transaction.
"""
