# Everything here works on a machine with Python 3.11 or later and make; nothing needs root.
# What is installed comes from the hash-pinned files in locks/.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := .tools/bin/uv
BIN := .venv/bin
TESTS ?= tests

.PHONY: help setup lint test test-fast demo serve bench docs lock clean

help:
	@echo "make setup      .venv with the project and all it needs"
	@echo "make demo       a gated MLflow server and a stock client, from log_model to review"
	@echo "make serve      leave a gated MLflow server up at http://127.0.0.1:5000"
	@echo "make test       all tests (make test-fast leaves out the slow ones)"
	@echo "make lint       ruff, mypy --strict, the import contract"
	@echo "make bench      measurements, side by side with the alternatives"
	@echo "make docs       the reference pages that are made from the rules"
	@echo "make lock       make the lock files anew from setup.cfg"

setup: .venv/.ready

$(UV): locks/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Tidegate needs Python 3.11 or later; name one with make PYTHON=…"; exit 2; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/bootstrap.txt

# Compiled beforehand, for scanner processes write no file, not even that one.
.venv/.ready: $(UV) locks/dev.txt setup.cfg
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --compile-bytecode --require-hashes -r locks/dev.txt
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q shared mlflow_plugin airflow_provider
	touch $@

# Libraries that only write honest models for the tests to scan.
.venv/.samples: .venv/.ready locks/samples.txt
	VIRTUAL_ENV=.venv $(UV) pip install --quiet --compile-bytecode --no-deps --require-hashes -r locks/samples.txt
	touch $@

# SARIF's published schema, which comes in a package of npm's. Its test skips where it is missing.
SARIF := .tools/sarif-2.1.0.json
SARIF_SHA256 := 2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8
$(SARIF): $(UV)
	@cd .tools && npm pack --silent @microsoft/jest-sarif@1.0.0-beta.0 >/dev/null 2>&1 \
		&& tar xzOf microsoft-jest-sarif-1.0.0-beta.0.tgz package/lib/schemas/sarif-2.1.0-rtm.5.json \
			> sarif.json \
		&& echo "$(SARIF_SHA256)  sarif.json" | sha256sum --check --quiet \
		&& mv sarif.json ../$(SARIF) \
		|| echo "SARIF's schema is not to be had here (npm, sha256sum): its test will skip"

# The data scientist's side: MLflow and his libraries, and nothing of ours.
.venv-client/.ready: $(UV) locks/client.txt
	test -x .venv-client/bin/python || $(PYTHON) -m venv .venv-client
	VIRTUAL_ENV=.venv-client $(UV) pip install --quiet --require-hashes -r locks/client.txt
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup .venv/.samples $(SARIF)
	$(BIN)/python -m pytest $(TESTS)

test-fast: setup .venv/.samples $(SARIF)
	$(BIN)/python -m pytest -m "not slow" $(TESTS)

demo: setup .venv-client/.ready
	$(BIN)/python examples/demo/run.py --client .venv-client/bin/python --output demo-output

serve: setup
	$(BIN)/python examples/demo/serve.py

# The scanners that the benchmarks put beside ours.
.venv-peers/.ready: $(UV) locks/peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	VIRTUAL_ENV=.venv-peers $(UV) pip install --quiet --require-hashes -r locks/peers.txt
	touch $@

bench: setup .venv/.samples .venv-peers/.ready
	$(BIN)/python benchmarks/run_all.py

docs: setup
	mkdir -p docs/reference
	$(BIN)/tidegate rules list --format markdown > docs/reference/rules.md

lock: $(UV)
	$(UV) pip compile setup.cfg --extra mlflow --extra airflow --extra console --extra signing --extra audit --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-header --quiet --output-file locks/dev.txt
	$(UV) pip compile setup.cfg --extra mlflow --extra airflow --extra console --extra signing --extra audit --extra dev --extra samples \
		--override locks/left_out.in --constraint locks/dev.txt --universal \
		--python-version 3.11 --generate-hashes --no-header --quiet --output-file locks/samples.txt
	$(UV) pip compile locks/client.in --constraint locks/dev.txt --universal \
		--python-version 3.11 --generate-hashes --no-header --quiet --output-file locks/client.txt
	$(UV) pip compile locks/peers.in --universal \
		--python-version 3.11 --generate-hashes --no-header --quiet --output-file locks/peers.txt
	$(UV) pip compile locks/bootstrap.in --universal \
		--python-version 3.11 --generate-hashes --no-header --quiet --output-file locks/bootstrap.txt

clean:
	rm -rf .venv .venv-client .venv-peers .tools demo-output build dist *.egg-info
