# `make build` and `make test` are all that a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPARK_VENV := .venv-spark
SPARK_BIN := $(SPARK_VENV)/bin
export DBT_PROFILES_DIR := .

# STUDY=name builds another file of studies/, in a database, a snapshot and a release of its own (python/rapport/refresh.py
# has the same names).
ifdef STUDY
export RAPPORT_STUDY := $(STUDY)
export RAPPORT_DB ?= warehouse/$(STUDY).duckdb
export RAPPORT_MARTS ?= $(basename $(RAPPORT_DB))-marts.duckdb
OF_STUDY = RAPPORT_STUDY=$(STUDY) RAPPORT_DB=$(RAPPORT_DB)$(SPACE)
SPACE := $() $()
RELEASE ?= release-$(STUDY)
endif
RELEASE ?= release
REPORTED = --release $(RELEASE) --out reports/$(or $(STUDY),index).html

# PROVIDERS=1 names providers in release and report (docs/disclosure.md).
WITH_PROVIDERS = $(if $(PROVIDERS),--providers)

.PHONY: help build report test faults attack benchmark lint docs release export golden twin contract-check contract-diff contract-cli lock clean

help:
	@grep -E '^## ' Makefile | sed 's/^## //'

## make build     the environment, `dbt build` on the demo export, release, report, then where to look (STUDY=name: another study;
##                VARS='{...}' sets vars for this once)
build: $(VENV)/.runtime
	$(BIN)/dbt build $(WITH_VARS)
	$(BIN)/python -m rapport.release --out $(RELEASE)
	$(BIN)/python -m rapport.report $(REPORTED)
	@echo
	@echo "Published to $${RAPPORT_DB:-warehouse/rapport.duckdb}, schema marts, from $${RAPPORT_RAW:-demo (synthetic)}. Have a look:"
	@echo "  $(OF_STUDY)$(BIN)/dbt --quiet show --limit 10 --inline 'select * from marts.eligibility_flow'"
	@echo "  $(OF_STUDY)$(BIN)/dbt --quiet show --limit 10 --inline \"select term, n, round(estimate, 2)::varchar as b, round(ci_low, 2)::varchar as low, round(ci_high, 2)::varchar as high, round(p_value, 3)::varchar as p from marts.inference_results where analysis = 'alliance_predicts_wellbeing'\""
ifndef STUDY
	@echo "  $(BIN)/dbt --quiet show --limit 20 --inline \"select figure_id, printed, round(our_value, 4)::varchar as ours from marts.reproduction where agrees is distinct from true\""
endif

## make report    reports/index.html anew, from the release in release/ (PROVIDERS=1: with the alliance by provider)
report: $(VENV)/.runtime
	$(BIN)/python -m rapport.report $(REPORTED) $(WITH_PROVIDERS)

## make study-check  whether the studies are right, without building: file, line, key and what is allowed (STUDY=name: one)
.PHONY: study-check
study-check: $(VENV)/.runtime
	@$(BIN)/python -m rapport.studies $(or $(STUDY),--all)

## make refresh   what a scheduler runs: freshness, publish, export, report; stops at the first that fails (STUDY=name, VARS='{...}';
##                docs/scheduling.md)
.PHONY: refresh freshness publish
refresh: $(VENV)/.runtime
	@$(BIN)/python -m rapport.refresh --programs $(BIN) $(if $(STUDY),--study $(STUDY)) --release $(RELEASE) $(WITH_VARS)

## make freshness  how old the export is: a warning, or from var freshness_error_hours on an error (VARS='{...}')
freshness: $(VENV)/.runtime
	@$(BIN)/dbt --no-use-colors --log-level warn source freshness $(WITH_VARS)

## make publish   `dbt build` without unit tests, silent unless it fails; VARS='{...}' sets vars for this once
publish: $(VENV)/.runtime
	@$(BIN)/dbt --no-use-colors --quiet build --exclude-resource-type unit_test $(WITH_VARS)

WITH_VARS = $(if $(VARS),--vars '$(subst ','\'',$(VARS))')

## make test      linters, type checker, and the tests: of every area at least one whole build (within 8 minutes on 2 cores)
test: lint
	$(BIN)/pytest -n 2 --dist worksteal

## make test-builds  the other whole builds, releases and attacks: every golden cohort, more exports for the attacker (docs/performance.md)
.PHONY: test-builds
test-builds: $(VENV)/.development
	$(BIN)/pytest -n 2 --dist worksteal -m 'builds and not long'

## make adapt     each change of docs/adapt.md on a copy of the project: builds, releases, pages and contracts (about 5 minutes)
.PHONY: adapt
adapt: $(VENV)/.development
	$(BIN)/pytest -m long tests/python/test_adapt.py

## make faults    what takes longer: 30 random deliveries against builds from scratch, 100 kills, 500 fuzzed exports
faults: $(VENV)/.development
	$(BIN)/pytest -m long tests/python/test_refresh.py tests/python/test_faults.py tests/python/test_snapshot.py
	$(BIN)/python tests/python/run_faults.py --seed 20201 --out docs/reliability-figures.md

## make benchmark what a build costs beside one query, pandas and polars, into docs/performance.md (BENCHMARK="--sizes 3k 10M")
benchmark: $(VENV)/.development
	$(BIN)/python -m benchmarks $(BENCHMARK)
	$(BIN)/python -m benchmarks.report

## make benchmark-spark  a build on Spark beside one on DuckDB, to 1 million participants, into docs/engines.md (BENCHMARK="--sizes 3k")
.PHONY: benchmark-spark
benchmark-spark: $(SPARK_VENV)/.runtime
	$(SPARK_BIN)/python -m benchmarks.spark $(BENCHMARK)

## make lint      ruff, mypy and sqlfluff
.PHONY: lint-python lint-sql
lint: $(VENV)/.development
	@$(MAKE) --no-print-directory --jobs 2 lint-python lint-sql
lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
lint-sql:
	$(BIN)/sqlfluff lint --processes 2 models tests/data

## make hooks     the linters before every commit, of the files that it changes (.pre-commit-config.yaml)
.PHONY: hooks
hooks: $(VENV)/.development
	$(INSTALL) 'pre-commit==4.7.0'
	$(BIN)/pre-commit validate-config
	$(BIN)/pre-commit install

## make docs      dbt's documentation site as one file, target/static_index.html
docs: $(VENV)/.runtime
	$(BIN)/dbt --quiet docs generate --static
	@echo "Open target/static_index.html"

## make release   everything that may leave, protected, as Parquet and CSV in release/ (docs/disclosure.md; PROVIDERS=1: providers, too)
release: $(VENV)/.runtime
	$(BIN)/python -m rapport.release --out $(RELEASE) $(WITH_PROVIDERS)

## make export    another name of it
export: release

## make attack    what an attacker can tell from the releases of 40 invented exports, into docs/disclosure-figures.md
attack: $(VENV)/.development
	$(BIN)/python tests/python/attacker.py --seeds 40 --out docs/disclosure-figures.md

## make golden    R's results anew (needs R); the tests compare with the committed ones
golden:
	Rscript tests/golden/make_golden.R
	Rscript tests/golden/make_sensitivity.R
	Rscript tests/golden/make_providers.R

## make twin      the demo export anew: the study's twin, from its seed (a minute and a half; the same files bit for bit)
twin: $(VENV)/.runtime
	rm -rf demo
	PYTHONPATH=python $(BIN)/python -m reproduction.twin --out demo
	git diff --stat --exit-code -- demo

## make consistency  seeds/recomputed_figures.csv anew: the printed figures recomputed from one another
.PHONY: consistency
consistency: $(VENV)/.runtime
	PYTHONPATH=python $(BIN)/python -m reproduction.consistency --out seeds/recomputed_figures.csv

## make contract-check  a raw export (RAPPORT_RAW, RAPPORT_RAW_FORMAT) against its contract, without building
contract-check: $(VENV)/.runtime
	@$(BIN)/python -m rapport.contracts check

## make contract-diff   the marts' contract against the last released one; fails if a breaking change has no version
contract-diff: $(VENV)/.runtime
	@$(BIN)/python -m rapport.contracts diff

## make serve-postgres  the snapshot of the marts as schema marts of a PostgreSQL database: DSN=postgresql://… READERS="role …"
.PHONY: serve-postgres semantic
serve-postgres: $(VENV)/.postgres
	@RAPPORT_POSTGRES='$(or $(DSN),$(RAPPORT_POSTGRES))' $(BIN)/python -m rapport.postgres $(foreach role,$(READERS),--reader $(role))

$(VENV)/.postgres: requirements-postgres.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements-postgres.lock
	@touch $@

## make build-spark  the same build on Spark in a session of this machine, which needs Java 17 (docs/engines.md), then where the marts are
.PHONY: build-spark test-spark test-spark-small
build-spark: $(SPARK_VENV)/.runtime
	$(SPARK_BIN)/dbt build --target spark
	@echo
	@echo "Published to $${RAPPORT_SPARK_WAREHOUSE:-warehouse/spark}, schema marts, from $${RAPPORT_RAW:-demo (synthetic)}. Have a look:"
	@echo "  $(SPARK_BIN)/dbt --quiet show --target spark --limit 10 --inline 'select * from marts.eligibility_flow'"
	@echo "Who reads without Spark opens the marts' snapshot, $${RAPPORT_MARTS:-warehouse/marts.duckdb}; release and report:"
	@echo "  RAPPORT_DB=$${RAPPORT_SPARK_WAREHOUSE:-warehouse/spark}/publication.duckdb make release report"

## make test-spark   every golden cohort and the twin on both engines, equal to the last bit, and what breaks a build on Spark (an hour)
test-spark: $(SPARK_VENV)/.runtime
	$(SPARK_BIN)/pytest -m 'long or not long' tests/python/test_engines.py $(wildcard tests/python/test_spark_*.py)

## make test-spark-small  of it what CI runs: a small cohort on both engines
test-spark-small: $(SPARK_VENV)/.runtime
	$(SPARK_BIN)/pytest tests/python/test_engines.py $(wildcard tests/python/test_spark_*.py)

# An environment of its own: Great Expectations imports pyspark where it finds it. It says what is missing before it loads
# the half gigabyte.
$(SPARK_VENV)/.runtime: requirements-spark.lock pyproject.toml
	@PYTHONPATH=python $(PYTHON) -P python/rapport/spark/java.py
	$(PYTHON) -m venv $(SPARK_VENV)
	$(INSTALL_SPARK) --require-hashes -r requirements-spark.lock
	$(INSTALL_SPARK) --no-deps --no-build-isolation --editable .
	@touch $@

INSTALL_SPARK = $(SPARK_BIN)/python -m pip install --quiet --disable-pip-version-check

## make semantic  MetricFlow in an environment of its own, and the tests of the metrics (docs/semantic-layer.md)
SEMANTIC_VENV := .venv-semantic
semantic: $(SEMANTIC_VENV)/.installed $(VENV)/.development
	$(BIN)/pytest tests/python/test_semantic.py

$(SEMANTIC_VENV)/.installed: requirements-semantic.lock
	$(PYTHON) -m venv $(SEMANTIC_VENV)
	$(SEMANTIC_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-semantic.lock
	@touch $@

## make contract-cli    both contracts by datacontract-cli, in an environment of its own (after `make build`)
CLI_VENV := .venv-datacontract
CLI := $(CLI_VENV)/bin/datacontract
contract-cli: $(CLI_VENV)/.installed $(VENV)/.runtime
	$(CLI) lint contracts/raw_export.odcs.yaml
	$(CLI) lint contracts/marts.odcs.yaml
	RAPPORT_RAW="$${RAPPORT_RAW:-demo}" $(CLI) test contracts/raw_export.odcs.yaml --server "$${RAPPORT_RAW_FORMAT:-parquet}"
	@rm -f $(CLI_VENV)/published.duckdb
	$(BIN)/python -m rapport.contracts copy-marts --out $(CLI_VENV)/published.duckdb
	RAPPORT_DB=$(CLI_VENV)/published.duckdb $(CLI) test contracts/marts.odcs.yaml --server duckdb

$(CLI_VENV)/.installed:
	$(PYTHON) -m venv $(CLI_VENV)
	$(CLI_VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'datacontract-cli[duckdb]==1.2.8'
	@touch $@

## make lock      the lock files anew from pyproject.toml (needs uv)
lock:
	$(LOCK) --extra dev pyproject.toml -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(LOCK) -c requirements-dev.lock --extra postgres pyproject.toml -o requirements-postgres.lock
	$(LOCK) -c requirements-dev.lock --extra semantic pyproject.toml -o requirements-semantic.lock
	$(LOCK) -c requirements-dev.lock --extra spark pyproject.toml -o requirements-spark.lock

LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-strip-extras --no-header --no-annotate

## make clean     what can be made again: environments, target, logs, reports, and the databases in warehouse/
clean:
	rm -rf $(VENV) $(CLI_VENV) $(SEMANTIC_VENV) $(SPARK_VENV) target logs reports warehouse/*.duckdb warehouse/*.duckdb.wal warehouse/spark

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
