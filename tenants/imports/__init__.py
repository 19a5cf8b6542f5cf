"""Streaming imports of CSV files: recipients with their devices, and lists of external ids for audiences."""

from tenants.imports.csv_file import RowProblem, UnreadableFile
from tenants.imports.ids import read_external_ids
from tenants.imports.recipients import ImportResult, import_recipients

__all__ = ["ImportResult", "RowProblem", "UnreadableFile", "import_recipients", "read_external_ids"]
