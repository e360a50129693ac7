# make study [SCALE=smoke] [SEEDS=0,1,2,3] [JOBS=1] · make test · make test-slow · make lint · make bench · make viz · make viz-site · make ui · make clean
SHELL := bash
PYTHON ?= $(shell command -v python3.11 || echo python3)
SCALE ?= base
PORT ?= 5000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
RUN := source $(BIN)/activate &&

.PHONY: study test test-slow lint bench viz viz-site ui clean env

study: $(READY)
	@$(RUN) $(if $(SEEDS),kedro dvc sync --env=$(SCALE) '--seeds=$(SEEDS)',kedro dvc check)
	@$(RUN) kedro dvc run --env=$(SCALE) $(if $(JOBS),--jobs=$(JOBS))
	@echo "Page: $(CURDIR)/data/09_page/$(SCALE)/report.html; verdicts, reports and figures: $(CURDIR)/data/08_reporting/$(SCALE)"

test: lint
	@$(RUN) pytest -m "not slow" --numprocesses=logical --dist=loadgroup

# Whole little studies with an arm, a rule, a scale or an edit more.
test-slow: $(READY)
	@$(RUN) pytest -m slow

lint: $(READY)
	@$(RUN) ruff check . && ruff format --check . && mypy && lint-imports && kedro dvc check

bench: $(READY)
	@$(RUN) python -m benchmarks

viz: $(READY)
	@$(RUN) CARD24_VIEW=1 kedro viz run --include-hooks --env=$(SCALE)

# The same as a static site, with previews of tables and figures.
viz-site: $(READY)
	@$(RUN) CARD24_VIEW=1 KEDRO_ENV=$(SCALE) kedro viz build --include-hooks --include-previews
	@echo "Site: $(CURDIR)/build/index.html (serve the folder: python -m http.server --directory build)"

# DVC restores what was published, not the database: publishing again adds only what that lacks.
ui: $(READY)
	@$(RUN) env -u MLFLOW_TRACKING_URI kedro run --env=$(SCALE) --pipelines tracking --params=seed=all
	@$(RUN) MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///mlflow.db --workers 1 --port $(PORT)

env: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Everything that the pipeline can make again: the environment, DVC's cache and the data outside git.
clean:
	rm -rf $(VENV) .dvc/cache .dvc/tmp data/.progress data/.timings data/.logs data/01_raw data/05_model_input data/06_models data/07_model_output data/09_page
