"""What the engine needs of PostgreSQL and Redis, without knowing any table: sets of rows (bulk, pg_arrays), waiting for
a database that restarts (db_retry), its clock (database_clock), the client of Redis (redis), a cache of a few seconds
(ttl_cache). And of Python: threads that are used again (reused_threads), that give way (giving_way), and pauses of the
search for cycles (cycle_collection).

Called by every room above, and by campaigns, inbox and the API's authentication; calls nothing of the engine.
"""
