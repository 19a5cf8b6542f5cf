# Everything is made under this folder: .venv (packages) and .local (servers, logs, secrets). Needs Python >= 3.11.
# Uses only what GNU make 3.81 knows, because macOS ships that version.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
DEMO_RECIPIENTS ?= 50000
EXIT ?=
ARGS ?=
# test processes, each with its own PostgreSQL and Valkey; 0: pytest itself runs the tests, for a debugger. More than a
# machine of two cores has: many tests wait
PROCESSES ?= 3

# make chaos: SHORT=1 is the form of every build; ROWS="kill*,valkey*" chooses rows; SEED repeats a run
SHORT ?=
SEED ?=
ROWS ?=
RECIPIENTS ?=
MINUTES ?= 60
CHAOS := SHORT=$(SHORT) SEED=$(SEED) ROWS="$(ROWS)" RECIPIENTS=$(RECIPIENTS)

# a production-like environment, so that `check --deploy` checks what will be deployed
DEPLOYED := DEBUG=0 SECRET_KEY=only-for-make-check-0f3a9b7c5d1e8246-0f3a9b7c5d1e8246-XyZ ENCRYPTION_KEYS=b25seS1mb3ItbWFrZS1jaGVjay0zMi1ieXRlcy0wMDE= \
	ALLOWED_HOSTS=notifier.example SITE_URL=https://notifier.example METRICS_TOKEN=only-for-make-check

# only the benchmark needs these packages: other clients and the picture; those of Node if there is npm
BENCH_STAMP := $(VENV)/.installed-bench
NODE_PEERS := bench/peers/node

.PHONY: demo up test chaos chaos-soak bench screenshots messages check fix lock clean help
.DEFAULT_GOAL := help

demo: $(STAMP)  ## Start everything and send a campaign (DEMO_RECIPIENTS=50000; EXIT=1 stops at the end)
	@DEMO_RECIPIENTS=$(DEMO_RECIPIENTS) $(RUN) -m notifier.local demo $(if $(filter-out 0,$(EXIT)),--exit)

up: $(STAMP)  ## Start everything without the demo, until Ctrl-C
	@$(RUN) -m notifier.local up

test: $(STAMP)  ## Run the tests with their own servers (ARGS="-k inbox -x"; PROCESSES=3)
	@TEST_PROCESSES=$(PROCESSES) $(RUN) -m pytest --numprocesses $(PROCESSES) --dist loadscope $(ARGS)

chaos: $(STAMP)  ## Break everything, one fault after the other, and count at the receiver (SHORT=1; ROWS="kill*"; SEED=7; docs/chaos.md)
	@$(CHAOS) $(RUN) -m tests.chaos

chaos-soak: $(STAMP)  ## Break something every 15 s for an hour (MINUTES=60)
	@$(CHAOS) MINUTES=$(MINUTES) $(RUN) -m tests.chaos

bench: $(STAMP) $(BENCH_STAMP)  ## Measure the speed beside h2load and other clients (BENCH_N=300000; BENCH_SHORT=1; bench/README.md)
	@$(RUN) -m bench

screenshots: $(STAMP)  ## Start the demo and make the pictures of README.md and docs (needs chromium)
	@$(RUN) -m tests.screenshots

messages: $(STAMP)  ## Collect the admin's texts into locale/ and compile the catalogs (needs gettext)
	$(RUN) manage.py makemessages --locale de --locale es --ignore '.venv' --ignore '.local' --ignore 'tests' --no-wrap --no-location --no-obsolete
	$(RUN) manage.py compilemessages --ignore '.venv'

check: $(STAMP)  ## Check lint, format, types, import directions, migrations and deployment; needs no server
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(DEPLOYED) $(RUN) manage.py check --deploy --fail-level WARNING

fix: $(STAMP)  ## Fix what ruff can fix
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

lock: $(STAMP)  ## Write requirements.lock and bench/requirements.lock from pyproject.toml (then commit both)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --no-header --extra local --extra aws --extra tracing --extra dev pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --no-header --extra bench -c requirements.lock pyproject.toml -o bench/requirements.lock

clean:  ## Remove .venv, .local and caches (stop a running demo first)
	rm -rf $(VENV) $(NODE_PEERS)/node_modules tests/judges/node_modules .local .mypy_cache .ruff_cache .pytest_cache .hypothesis static-collected

help:  ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# a changed lock file installs the packages again; an unchanged one costs nothing
$(STAMP): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python >= 3.11 is needed; '$(PYTHON)' was not found (make PYTHON=/path/to/python3.11)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python >= 3.11 is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1) (make PYTHON=/path/to/python3.11)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once, and when requirements.lock changes)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-input -r requirements.lock
	@touch $(STAMP)

# a client that cannot be installed is reported and does not stop the others
$(BENCH_STAMP): bench/requirements.lock $(NODE_PEERS)/package-lock.json $(STAMP)
	@echo "Installing the packages of the benchmark (once, and when its lock files change)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-input -r bench/requirements.lock || echo "some other clients are missing"
	@! command -v npm >/dev/null || npm ci --prefix $(NODE_PEERS) --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error || echo "the Node client is missing"
	@touch $(BENCH_STAMP)
