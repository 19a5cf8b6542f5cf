"""Django's backend for PostgreSQL behind a pooler that changes connections between transactions (PgBouncer's
transaction mode): the setting DATABASE_POOLER chooses it. `base` is where Django looks for a backend's class."""
