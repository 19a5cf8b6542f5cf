"""Django's database backend for web processes: as Django's own, with a pool that does not let requests wait for a
database that is away. It can stand before a pooler (tenants.database.pooled). `notifier.settings` names this package;
Django imports `base`, which uses `quick_pool`."""
