# `make run` sets everything up and opens the app; `make test` sets everything up and runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: run test install install-test bench bench-gpu

run: install
	$(BIN)/python app.py

test: install-test
	$(BIN)/python -m pytest

install: $(VENV)/installed

install-test: install $(VENV)/installed-test
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || sh scripts/system-packages.sh chromium

bench: install
	$(BIN)/python -m benchmarks.speed --json benchmarks/results/speed.json

bench-gpu: install
	$(BIN)/python -m benchmarks.speed --device gpu0 --json benchmarks/results/gpu.json

$(VENV)/installed: requirements.txt
	sh scripts/check-python.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -c "import cv2" 2>/dev/null || sh scripts/system-packages.sh libgl1 libglib2.0-0
	$(BIN)/python -c "import cv2, torch, gradio; from ui.launch import warm_up; warm_up()"
	touch $@

$(VENV)/installed-test: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
