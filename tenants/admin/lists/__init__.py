"""Lists of tables with millions of rows: no click reads more rows than a bound.

Read `large_tables` first, the base class of such pages here and in the apps above; it uses `keyset` (pages by key,
bounded counts and filters) and `limits`. `tenants.admin.base.paging` bounds the count of every other list.
"""
