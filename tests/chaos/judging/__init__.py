"""What the rows are judged by: `ledger` reads the database, `receiver` the sandbox, `watch` writes down forbidden
changes of rows at the moment they are made, and `invariants` decides, without any input or output of its own."""
