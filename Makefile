# Two commands do everything on a machine with Python 3.11-3.13, git and make:
#   make trial   set up, then simulate CLEOPATRA beside the published result
#   make test    set up, then format, lint, types, record, tests, docs
# `make page` sets up and opens the web page; `make web` builds it anew from web/ (needs Node 20 and npm).

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: trial page web e2e test check lint-record pytest docs bench validate calibrate lock clean

trial: $(READY)
	$(BIN)/her2 trial cleopatra

page: $(READY)
	$(BIN)/her2 serve --open

web:
	cd web && npm ci --no-audit --no-fund && npm test && npm run build

test: check pytest docs

check: $(READY)
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/her2 lint

pytest: $(READY)
	$(BIN)/pytest -n 2 -m "not slow"

e2e: $(READY)
	$(BIN)/pytest tests/web/e2e

docs: $(READY)
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

bench: $(READY)
	$(BIN)/python benchmarks/engine_v_roadrunner.py
	$(BIN)/python benchmarks/cell_evaluation.py

calibrate: $(READY)
	$(BIN)/her2 calibrate --out src/her2/data/posterior

$(READY): pyproject.toml requirements/dev.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found on the PATH"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# rewrites the locked, hashed list of what `make` installs; needs the tool uv
lock:
	uv pip compile pyproject.toml --extra dev --extra docs --extra sbml --extra sensitivity --extra dask --extra web --extra postgres --extra fhir --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -q -o requirements/dev.lock

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache
