# make demo     serve the examples at http://127.0.0.1:8000 (PORT=... for another port)
# make test     the whole test suite
# make lint types docs bench coverage     what else is checked or measured
# Each target prepares what it needs: .venv, npm packages, Chromium, nginx, HAProxy. PYTHON=... picks the interpreter
# of a new .venv, VENV=... another folder for it.

PORT ?= 8000
# Most tests wait for other programs rather than compute: more at once than there are cores.
PYTEST_ARGS ?= -n 3 --dist loadfile
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.PHONY: help demo test lint types coverage docs bench clean

help:
	@sed -n '1,5s/^# //p' Makefile

demo:
	@tools/setup_venv.sh demo
	@tools/setup_npm.sh examples/chat
	@tools/build_page.sh examples/board
	@echo "fastsio examples: http://127.0.0.1:$(PORT) (Ctrl+C stops it)"
	@exec $(BIN)/python -m uvicorn start.app:app --app-dir examples --port $(PORT) --log-level warning \
		--timeout-graceful-shutdown 2

test:
	@tools/setup_venv.sh test
	@tools/setup_npm.sh examples/chat
	@tools/build_page.sh examples/board
	@tools/setup_npm.sh tests
	@tools/setup_npm.sh tools/site
	@tools/setup_chromium.sh
	@tools/setup_balancers.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint:
	@tools/setup_venv.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	@tools/setup_venv.sh dev
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

coverage:
	@tools/setup_venv.sh test
	$(BIN)/coverage run -m pytest tests/unit
	$(BIN)/coverage report

docs:
	@tools/setup_venv.sh docs
	@tools/setup_npm.sh tools/site
	$(BIN)/python -m sphinx -n -W --keep-going docs docs/_build/html

bench:
	@tools/setup_venv.sh bench
	@tools/setup_npm.sh benchmarks
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv .venv-newest examples/*/node_modules examples/*/dist tests/node_modules tools/site/node_modules docs/_build benchmarks/build
