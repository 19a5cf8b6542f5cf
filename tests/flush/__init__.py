"""An app of the tests' settings whose command `flush` replaces Django's: it empties the database after a test that
commits.

Django truncates every table, whether it has rows or not, and then writes content types, permissions and grants anew:
0.25 s of CPU, mostly PostgreSQL's, for the 120 tables and partitions. pytest-django calls the command by its name.
"""
