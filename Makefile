# People and CI call the same targets. `make` alone lists them.
SHELL := /bin/bash
BIN := .venv/bin
# Where whole Debian systems are built for tests, 2 GB each.
SYSTEMS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rtpacs-debian
.DEFAULT_GOAL := help
.PHONY: run test bench validate-dvh test-faults test-debian13 test-bare screenshots check fmt lock setup clean help
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

validate-dvh: ## Validate the DVH engine; writes tables and plots into docs/dvh.md
	@scripts/setup test
	@$(BIN)/python -m validation

test-faults: ## The fault matrix, into docs/faults.md: an hour and a half (root)
	@scripts/setup faults
	@$(BIN)/python -m pytest tests --faults docs/faults.md

test-debian13: ## Every test that needs an Orthanc, on Debian 13's Orthanc and Python (root)
	@scripts/in-debian trixie $(SYSTEMS)/trixie \
	    bash -c 'scripts/setup test && .venv/bin/python -m pytest -n 2 --dist loadfile tests/orthanc'

test-bare: ## `make test` on a Debian 12 without anything installed (root)
	@rm -rf $(SYSTEMS)/bare
	@scripts/in-debian bookworm $(SYSTEMS)/bare make test

screenshots: ## Photograph every page of a demo, into build/screenshots and the manual
	@scripts/setup test
	@$(BIN)/python -m scripts.screenshots

check: ## Lint, format, types, import contracts, spelling, tests (after set-up)
	@scripts/check

fmt: ## Format the code and apply safe lint fixes
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: ## Resolve the dependencies anew, for both Pythons and the browser
	@compile() { $(BIN)/uv pip compile --quiet --no-header --generate-hashes --extra build \
	        --python-version "$$@" pyproject.toml; }; \
	for version in 3.11 3.13; do \
	    lock=requirements/py$${version/./}; \
	    compile $$version -o $$lock.txt && \
	        compile $$version --extra dev -c $$lock.txt -o $$lock-test.txt || exit 1; \
	done
	@npm install --package-lock-only --no-audit --no-fund

setup: ## Only install what is missing (Debian packages, .venv, browser libraries)
	@scripts/setup runtime

clean: ## Remove everything that set-up and tests made; data in var/ stays
	rm -rf .venv build htmlcov node_modules webui/static/vendor .coverage* *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

help: ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
