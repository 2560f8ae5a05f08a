# One way to do each thing. Every target prepares what it needs by itself.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=
VERSIONS ?= 1.37.2
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet

$(READY): pyproject.toml requirements/dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Argosy needs Python 3.11 or newer, $(PYTHON) is older" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q argosy hub agent
	@touch $@

.PHONY: help setup demo test soak e2e lint fmt types proto bench testbed lock

help: ## what can be made
	@awk -F':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## the environment in .venv (every target does this by itself)

demo: $(READY) ## hub, Git server, three clusters: watch a commit arrive (ARGS=--once to verify and end)
	$(BIN)/python -m hub.demo $(ARGS)

testbed: $(READY) ## real API servers, built once into the user cache where Go is present
	PYTHONPATH=tests/support $(BIN)/python -m testbed --versions $(VERSIONS)

# A file's tests share what its module made and tell one story in its order: one worker runs them all.
test: $(READY) testbed ## all tests (ARGOSY_E2E=required: none may be skipped for want of a real API server)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak" $(ARGS)

e2e: $(READY) testbed ## only the tests on real control planes
	ARGOSY_E2E=required $(BIN)/python -m pytest -m "e2e and not soak" $(ARGS)

soak: $(READY) testbed ## the long forms of the fault tests
	$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

lint: $(READY) ## formatting, lints, types, import contracts, wire format
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python proto/check.py

fmt: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(READY) ## regenerate the stubs from proto/
	$(BIN)/python proto/check.py --write

bench: $(READY) ## benchmarks (ARGS="B1 B4 --json")
	$(BIN)/python -m bench $(ARGS)

lock: $(READY) ## lock the dependencies again, with hashes and without addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev $(LOCK) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra hub --extra cli --extra kustomize $(LOCK) -o requirements/hub.txt
	$(BIN)/uv pip compile pyproject.toml --extra agent $(LOCK) -o requirements/agent.txt

