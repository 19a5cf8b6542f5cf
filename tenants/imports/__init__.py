"""Streaming imports of CSV files: recipients with their devices, and lists of external ids for audiences.

One file of recipients, in the order of reading: `jobs` (an upload's row and file, run by a worker) -> `recipients` (the
whole import) -> `csv_file` (bytes to rows) -> `columns` (what the header means) -> `row_parser` with `column_types`
(a row's values) -> `staging` (COPY into temporary tables) -> `merge` (SQL into the tenant's tables); `left_out` keeps
the rows that were left out. `ids` reads lists, `consents` consents.
The admin, `manage.py import_recipients`, the demo and campaigns call this package; it calls `tenants.people`.
"""

from tenants.imports.csv_file import RowProblem, UnreadableFile
from tenants.imports.ids import read_external_ids
from tenants.imports.recipients import ImportResult, import_recipients

__all__ = ["ImportResult", "RowProblem", "UnreadableFile", "import_recipients", "read_external_ids"]
