"""The load generator: a process of its own, so that the Python of the bench slows no request down.

spec.py        what a generator sends, and how fast
__main__.py    the process: reads one spec, sends, writes the result
connection.py  one HTTP/1.1 connection, and the pool of them
generate.py    the open loop (requests at fixed times, whatever became of earlier ones) and the closed loop (each
               connection sends its next request when its last one was answered)
result.py      the result of a generator, and what follows from it: percentiles, backlogs; pure
process.py     starts a generator, and returns its result

The parts of the bench (bench/api/) call process.py, which starts `python -m bench.load`. The process imports neither
Django nor the product.
"""
