# `make` alone lists the targets. Environments live in .venv*, wheels in dist/.

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
SOURCE ?=
# Another Python than 3.11 may need other versions: NEWEST=/dev/null takes the newest that fit.
NEWEST ?= constraints/newest.txt

# Folders are listed too: a deleted file changes nothing else.
SOURCES := setup.cfg pyproject.toml LICENSE $(wildcard README.md) \
    $(shell find home_tf -name __pycache__ -prune -o -print)
WHEEL = $$(ls dist/home_tf-*.whl)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# MkDocs Material advertises its successor.
export NO_MKDOCS_2_WARNING := 1

.PHONY: help install demo test test-keras test-legacy test-jax test-spark test-slow \
    test-oldest test-io check docs docs-quick release-check clean
.DELETE_ON_ERROR:
.SECONDARY:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' Makefile

install: .venv/installed ## install the package and its tools into .venv

demo: .venv/installed ## train and evaluate on KuaiRand; SOURCE=folder for the real data
	.venv/bin/python pipelines/kuairand.py $(if $(SOURCE),--source "$(SOURCE)")

test: .venv/installed .venv-jax/installed ## check, and the tests on the newest versions
	tests/run

test-keras: .venv/installed ## of these the tests under Keras 3
	tests/run keras

test-legacy: .venv/installed ## those under legacy Keras
	tests/run legacy

test-jax: .venv-jax/installed ## all tests of the layers on JAX
	tests/run jax

test-spark: .venv-spark/installed ## the tests of Spark
	tests/run spark

test-slow: .venv/installed .venv-oldest/installed ## the tests that take longest, which make test leaves out
	tests/run slow

test-oldest: .venv-oldest/installed .venv/installed ## all tests on the oldest versions
	tests/run oldest

test-io: .venv-io/installed ## the tests of remote files, on an S3 server
	tests/run io

check: .venv/installed ## lint, formatting and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

docs: .venv-docs/installed ## run the tutorials and build the site; warnings are errors
	.venv-docs/bin/mkdocs build --strict

docs-quick: .venv-docs/installed ## the site without running the tutorials
	HOME_TF_DOCS_EXECUTE=false .venv-docs/bin/mkdocs build --strict

release-check: .venv-release/dependencies ## build wheel and sdist, and try both alone
	tests/release

clean: ## remove environments, builds and caches
	rm -rf .venv .venv-oldest .venv-jax .venv-spark .venv-io .venv-docs .venv-release
	rm -rf build dist site *.egg-info .cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

%/bin/python:
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install -q -c $(NEWEST) setuptools

# The setuptools of .venv builds the wheel, so that a rebuild needs no network.
dist/built: $(SOURCES) | .venv/bin/python
	rm -rf build dist *.egg-info
	.venv/bin/python -m pip wheel -q --no-deps --no-build-isolation -w dist .
	touch $@

.venv/dependencies: $(NEWEST)
.venv-oldest/dependencies: constraints/oldest.txt
.venv/dependencies .venv-oldest/dependencies: %/dependencies: setup.cfg \
    | %/bin/python dist/built
	$*/bin/python -m pip install -q --no-deps --force-reinstall "$(WHEEL)"
	$*/bin/python -m pip install -q -c $(filter-out setup.cfg,$^) "$(WHEEL)[dev]"
	$*/bin/python -m pip check
	touch $@

.venv-jax/dependencies: constraints/jax.txt | .venv-jax/bin/python
	.venv-jax/bin/python -m pip install -q -r constraints/jax.txt
	touch $@

.venv-spark/dependencies: constraints/spark.txt setup.cfg | .venv-spark/bin/python dist/built
	.venv-spark/bin/python -m pip install -q -c constraints/newest.txt \
	    -r constraints/spark.txt "$(WHEEL)[pipeline,spark]"
	touch $@

.venv-io/dependencies: constraints/io.txt setup.cfg | .venv-io/bin/python dist/built
	.venv-io/bin/python -m pip install -q -c constraints/oldest.txt \
	    -r constraints/io.txt "$(WHEEL)[tfrs,pipeline,serving,report,io]"
	touch $@

.venv-docs/dependencies: constraints/docs.txt setup.cfg | .venv-docs/bin/python dist/built
	.venv-docs/bin/python -m pip install -q -c constraints/newest.txt \
	    -r constraints/docs.txt "$(WHEEL)[all]"
	touch $@

.venv-release/dependencies: constraints/release.txt | .venv-release/bin/python
	.venv-release/bin/python -m pip install -q -r constraints/release.txt
	touch $@

%/installed: dist/built %/dependencies
	$*/bin/python -m pip install -q --no-deps --force-reinstall "$(WHEEL)"
	touch $@
