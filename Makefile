# make study [SCALE=smoke] [SEEDS=0,1,2,3] · make test · make lint · make bench · make viz · make viz-site · make clean
SHELL := bash
PYTHON ?= $(shell command -v python3.11 || echo python3)
SCALE ?= base
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
RUN := source $(BIN)/activate &&
STUDY_FILE := $(if $(filter base,$(SCALE)),dvc.yaml,conf/$(SCALE)/dvc.yaml)

.PHONY: study test lint bench viz viz-site clean env

study: $(READY)
	@$(RUN) $(if $(SEEDS),kedro dvc sync --env=$(SCALE) --seeds=$(SEEDS),kedro dvc check)
	@$(RUN) dvc repro $(STUDY_FILE)
	@echo "Reports: $(CURDIR)/data/08_reporting/$(SCALE)/report.md (SFT); report_rl.md, report_spectra.md and report_recovery.md beside it"

test: lint
	@$(RUN) pytest

lint: $(READY)
	@$(RUN) ruff check . && ruff format --check . && mypy && lint-imports && kedro dvc check

bench: $(READY)
	@$(RUN) python -m benchmarks

viz: $(READY)
	@$(RUN) CARD24_VIEW=1 kedro viz run --include-hooks --env=$(SCALE)

# The same as a folder of files for any web server (python -m http.server --directory build).
viz-site: $(READY)
	@$(RUN) CARD24_VIEW=1 KEDRO_ENV=$(SCALE) kedro viz build --include-hooks --include-previews

env: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Everything that the pipeline can make again: the environment, DVC's cache and the data outside git.
clean:
	rm -rf $(VENV) .dvc/cache .dvc/tmp data/.progress data/01_raw data/05_model_input data/06_models data/07_model_output
