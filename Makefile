# `make run` sets everything up and opens the app; `make test` sets everything up and runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: run test check install install-test bench bench-gpu soak attack audit oldest docs

run: install
	$(BIN)/python app.py

# Two processes share the tests, a file at a time.
test: install-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

# What every change must pass before the tests.
check: $(VENV)/installed-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

install: $(VENV)/installed

install-test: install $(VENV)/installed-test
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || sh scripts/system-packages.sh chromium

bench: install
	$(BIN)/python -m benchmarks.speed --json benchmarks/results/speed.json

bench-gpu: install
	$(BIN)/python -m benchmarks.speed --device gpu0 --json benchmarks/results/gpu.json

soak: install
	$(BIN)/python -m benchmarks.soak --json benchmarks/results/soak.json

# Ten attacks on the app, about ten minutes.
attack: install
	$(BIN)/python -m benchmarks.attack --json benchmarks/results/attack.json

# Known weaknesses of everything that is installed, from the Python advisory database: needs a connection.
audit: install-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.7,<3"
	$(BIN)/python -m pip_audit --skip-editable --progress-spinner off

# The tests with the oldest versions that requirements.txt allows, in an environment of its own. Python 3.10 to 3.12: numpy 1.26 has no later.
OLDEST := .venv-oldest
oldest:
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct -r requirements-dev.txt
	$(OLDEST)/bin/python -m pytest

# The documentation as a site, in site/; a link or a picture that leads nowhere is an error.
docs:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/installed: requirements.txt
	sh scripts/check-python.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): some minutes without a word, and on Linux 6 GB on the disk."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -c "import cv2" 2>/dev/null || sh scripts/system-packages.sh libgl1 libglib2.0-0
	@echo "Compiling the search for patches, once: up to a minute."
	$(BIN)/python -c "import cv2, torch, gradio; from facetransfer.ui.launch import warm_up; warm_up()"
	touch $@

$(VENV)/installed-test: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
