# Three commands for a newcomer: `make demo`, `make studio` and `make test`. Only Python >= 3.11 and make
# are needed; Node.js, which builds the page of the studio, comes as a package where it is missing.
PYTHON ?= python3
VENV := .venv
PROGRAMS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(PROGRAMS)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo studio test test-all test-oldest test-newest test-leaning test-page check docs dist bench clean

demo: $(VENV)/.installed
	$(BIN)/bitfold demo

studio: $(VENV)/.installed
	$(BIN)/python tools/build_page.py
	$(BIN)/bitfold studio

# Tests run in as many processes as there are cores, so each computes with one thread. With more they would wait for one
# another most of the time.
test test-all test-oldest test-newest: export OMP_NUM_THREADS := 1

# Both leave the compiled loops of earlier runs in use. Tests marked slow run in `make test-all` alone, where property
# tests try five times as many examples.
test: $(VENV)/.installed-test
	$(BIN)/bitfold warm-up
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-all: $(VENV)/.installed-test
	$(BIN)/bitfold warm-up
	$(BIN)/python -m pytest -n auto --dist loadfile --hypothesis-profile=all

# The page in a browser, and its own unit tests. They need Node.js and an installed Chromium.
test-page: $(VENV)/.installed-page
	$(BIN)/python tools/build_page.py
	cd frontend && npm run --silent check && npm run --silent test
	$(BIN)/bitfold warm-up
	$(BIN)/python -m pytest -n 0 tests_page

# The same tests with the oldest and the newest versions that pyproject.toml allows, each in an environment of its own.
# TESTS=... chooses some of them; $(LEANING) are those that lean most on the dependencies. The newest versions also run
# the loops of large libraries, in tests_libraries/.
TESTS ?=
EXTRAS_oldest := test
EXTRAS_newest := test,libraries
PLACES_oldest := tests src
PLACES_newest := tests src tests_libraries
LEANING := tests/runtime tests/networks tests/audit tests/kolmogorov/sums tests/kolmogorov/predictors \
	tests/kolmogorov/grid tests/polytopes/lowering tests/polytopes/tracing tests/targets tests/render/video
test-oldest test-newest: test-%: .venv-%/.installed
	.venv-$*/$(PROGRAMS)/python -m bitfold warm-up
	.venv-$*/$(PROGRAMS)/python -m pytest -n auto --dist loadfile -m "not slow" $(or $(TESTS),$(PLACES_$*))

test-leaning:
	$(MAKE) test-newest TESTS="$(LEANING)"

.venv-%/.installed: constraints-%.txt pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/$(PROGRAMS)/python -m pip --disable-pip-version-check install --quiet \
		--constraint $< --editable '.[$(EXTRAS_$*)]'
	touch $@

check: $(VENV)/.installed-check $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet --config .github/zizmor.yml .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

dist: $(VENV)/.installed-dist
	$(BIN)/python tools/check_distributions.py

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.training.speed
	$(BIN)/python -m benchmarks.training.sweeps

$(VENV)/.created:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'bitfold needs Python 3.11 or newer; set PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[studio]'
	touch $@

$(VENV)/.installed-%: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest build src/*.egg-info
