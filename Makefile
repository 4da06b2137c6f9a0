# People and CI call the same targets. `make` alone lists them.
SHELL := /bin/bash
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: run test bench test-faults screenshots check fmt lock setup clean help
MAKEFLAGS += --no-print-directory

run: ## Set up what is missing, then start everything with demo data
	@scripts/setup runtime
	@exec $(BIN)/rtpacs serve --demo

test: ## Set up what is missing, then run every check and test
	@scripts/setup test
	@$(MAKE) check

bench: ## Measure speed against the goals, ratios in one run
	@scripts/setup test
	@$(BIN)/python -m benchmarks

test-faults: ## Kill, fill and break things under load
	@scripts/setup test
	@$(BIN)/python -m pytest tests/faults

screenshots: ## Photograph every page of the demo that runs, into build/screenshots
	@scripts/setup test
	@$(BIN)/python scripts/screenshots.py

check: ## Lint, format, types, import contracts, spelling, tests (after set-up)
	@scripts/check

fmt: ## Format the code and apply safe lint fixes
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: ## Resolve the dependencies anew, for both Pythons and the browser
	@for version in 3.11 3.13; do \
	    $(BIN)/uv pip compile --quiet --no-header --extra dev --generate-hashes \
	        --python-version $$version -o requirements/py$${version/./}.txt pyproject.toml \
	        || exit 1; \
	done
	@npm install --package-lock-only --no-audit --no-fund

setup: ## Only install what is missing (Debian packages, .venv, browser libraries)
	@scripts/setup runtime

clean: ## Remove everything that set-up and tests made; data in var/ stays
	rm -rf .venv build htmlcov node_modules webui/static/vendor .coverage* *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
