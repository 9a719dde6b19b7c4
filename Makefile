# Two commands do everything on a machine with Python 3.11-3.13, git and make:
#   make trial   set up, then simulate CLEOPATRA beside the published result
#   make test    set up, then format, lint, types, record, tests, docs
# `make page` sets up and opens the web page; `make web` builds it anew from web/ (needs Node 20 and npm).

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: trial page web e2e test check lint-record pytest docs trust wheel sbom credibility bench validate calibrate lock clean

trial: $(READY)
	$(BIN)/her2 trial cleopatra

page: $(READY)
	$(BIN)/her2 serve --open

web:
	cd web && npm ci --no-audit --no-fund && npm test && npm run build

test: check pytest docs

check: $(READY)
	$(BIN)/ruff format --check src tests benchmarks examples trust docs/notebooks
	$(BIN)/ruff check src tests benchmarks examples trust docs/notebooks
	$(BIN)/mypy
	$(BIN)/her2 lint

pytest: $(READY)
	$(BIN)/pytest -n 2 -m "not slow"

e2e: $(READY)
	$(BIN)/pytest tests/web/e2e

# what was tried to break it, and what the numbers were held against; FULL=1 takes about an hour
trust: $(READY)
	$(BIN)/python trust/run.py $(if $(FULL),--full)

# wheel and sdist in dist/, the same bytes wherever this commit is built
wheel: $(READY)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600) $(BIN)/python -m hatchling build -t sdist -t wheel -d dist

# what goes into it: every locked package with its licence and needs, in CycloneDX
sbom: $(READY)
	$(BIN)/python trust/supply.py --sbom dist/sbom.cdx.json

# writes the page of the credibility report anew, from the record, the posterior and the results that ship
credibility: $(READY)
	$(BIN)/her2 credibility --out docs/credibility.md

docs: $(READY)
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

# peers that are not in the lock: make bench PEERS="--python diffrax=PATH --python amici=PATH"
bench: $(READY)
	$(BIN)/python benchmarks/stripped/run.py $(PEERS)
	$(BIN)/python benchmarks/kernel_limits.py
	$(BIN)/python benchmarks/engine_v_roadrunner.py
	$(BIN)/python benchmarks/cell_evaluation.py
	$(BIN)/python benchmarks/survival_batch.py

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
	uv pip compile pyproject.toml --extra dev --extra docs --extra sbml --extra sensitivity --extra dask --extra web --extra postgres --extra fhir --extra trust --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -q -o requirements/dev.lock

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache
