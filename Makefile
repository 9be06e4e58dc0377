# `make demo`: install, then raw files to a trained model on the bundled default.
# `make bench-quick`: install, then time the engines on this machine.
# `make gpu`: install, then check and measure on the GPU; without one, on the CPU at a small size.
# `make docs`: install what builds the site, then build docs/ into site/; warnings are errors.
# `make test`: install, then lint, type check and all tests; this is what CI runs.
PYTHON ?= python3.11
BIN := .venv/bin
NATIVE := dcell_model/dcell/native
export PATH := $(CURDIR)/$(BIN):$(PATH)

NO_GIT := $(shell git rev-parse --git-dir >/dev/null 2>&1 || echo .dvc/config.local)

.PHONY: demo docs test test-long lint bench-quick gpu clean install

# Times and another processor's rounding make another dvc.lock than the committed one. Where it was
# as committed it is put back, so that a demo leaves no modified file; `dvc repro` alone keeps it.
demo: install $(NO_GIT)
	@git diff --quiet HEAD -- dvc.lock 2>/dev/null && clean=1; \
	echo "dvc repro"; dvc repro; status=$$?; \
	test -z "$$clean" || git checkout --quiet HEAD -- dvc.lock; exit $$status
	dcell summary --ledger results/ledger.json --run results

# Without git DVC stops at once, unless it is told that there is none.
.dvc/config.local:
	printf '[core]\n    no_scm = true\n' > $@

test: install lint
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup

# The same with every byte flipped and many more examples of rubbish.
test-long: install
	DCELL_LONG=1 OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup

lint: install
	ruff check .
	ruff format --check .
	mypy

install: $(BIN)/.installed $(BIN)/.native

# The native pass again where its sources changed (pip compiles it once); a failure leaves the slower engine.
$(BIN)/.native: $(BIN)/.installed $(wildcard $(NATIVE)/*.cpp $(NATIVE)/*.h) $(NATIVE)/native_build.py
	-cd $(NATIVE) && $(CURDIR)/$(BIN)/python -c "import native_build as n; n.build(n.HERE)"
	touch $@

# The constraints pin every package that was tested. A CPU build of torch is enough for all of it:
# where pip would fetch the CUDA build, set PIP_EXTRA_INDEX_URL to PyTorch's CPU index.
$(BIN)/.installed: pyproject.toml constraints.txt
	@echo "installing into .venv; this takes some minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(BIN)/.native

docs: $(BIN)/.docs-installed
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "site/index.html"

$(BIN)/.docs-installed: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# Times the engines, the loader and a store's build at yeast scale, in under two minutes.
bench-quick: install
	dcell bench --plan quick --out results/bench.json

# In under eight minutes, and without a network once installed.
gpu: install
	python -m dcell_model.bench gpu --out results/gpu

clean:
	rm -rf .venv data results site .pytest_cache .mypy_cache .ruff_cache .hypothesis
