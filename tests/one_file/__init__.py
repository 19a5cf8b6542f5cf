"""One file is one file: the examples of the how-to pages, added to a copy of the repository.

`test_one_file.py` makes the copy and runs, in that copy, the contract tests and `send_messenger.py`.
"""
