"""Streaming imports of CSV files: recipients with their devices, and lists of external ids for audiences."""

from tenants.imports.ids import read_external_ids
from tenants.imports.reader import Problem, UnreadableFile
from tenants.imports.run import Result, import_recipients

__all__ = ["Problem", "Result", "UnreadableFile", "import_recipients", "read_external_ids"]
