# The only entry points. `make book` and `make test` need Python 3.11 to 3.14, make and git, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TORCH  := $(shell sed -n 's/^torch==/torch==/p' requirements.txt)
STAMP  := $(VENV)/.installed
LAB    := $(VENV)/.jupyterlab
RELOAD := $(VENV)/.autobuild
NODE   := node_modules/.package-lock.json
PORT   ?= 8000

# node and npm come with the environment; npm's own chatter is not ours.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export NPM_CONFIG_UPDATE_NOTIFIER := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Packages go into the environment, whatever pip's personal settings say.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX
# IPython warns where another environment is the active one, and the tests take warnings for errors.
unexport VIRTUAL_ENV
# Personal settings that change what a cell shows or a test does.
unexport MPLBACKEND PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSTARTUP PYTEST_ADDOPTS PYTEST_PLUGINS
export IPYTHONDIR := $(CURDIR)/$(VENV)/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/jupyter
export MATPLOTLIBRC := /dev/null

.PHONY: book pdf test quick chromium lint unit notebooks site notebook serve bench bench-site mutants clean
# One step at a time, whatever -j says: a failure is then the last thing on the screen.
.NOTPARALLEL:

book: $(STAMP) $(NODE)
	@$(BIN)/jupyter-book build . --quiet >/dev/null
	@echo "The book is built. Open _build/html/index.html, or run: make serve"

# The whole book on paper: the site, printed by Chromium.
pdf: chromium book
	@$(BIN)/python tools/pdf.py

# The browser first, since nobody should learn after ten minutes that it is missing.
test: chromium lint unit notebooks site

# What to run while editing: two minutes, and no browser.
quick: lint
	@$(BIN)/python -m pytest --quiet --numprocesses 2 -m "not slow and not browser"

# The environment: torch first and alone, since it is the one package whose build depends on the machine.
$(STAMP): requirements.txt requirements-triton.txt pyproject.toml tools/check_machine.sh
	@sh tools/check_machine.sh "$(PYTHON)"
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv --clear $(VENV)
	@echo "Installing the pinned packages into $(VENV) (two minutes and more) ..."
	@{ $(BIN)/pip install --quiet $(TORCH) && \
	   $(BIN)/pip install --quiet --requirement requirements.txt && \
	   $(BIN)/pip install --quiet --no-deps --requirement requirements-triton.txt && \
	   $(BIN)/pip install --quiet --no-deps --editable .; } || \
	 { echo "The packages could not be installed: is the network up? The same command goes on." >&2; exit 1; }
	@touch $@

# npm writes this file when it is done, so a lost or outdated node_modules is installed again.
$(NODE): package-lock.json $(STAMP)
	@npm ci --loglevel=error >/dev/null

# A program that opens the chapters. Nothing else needs it, so it comes when it is asked for.
$(LAB): $(STAMP)
	@echo "Installing jupyterlab into $(VENV) ..."
	@$(BIN)/pip install --quiet jupyterlab==4.6.6 --constraint requirements.txt
	@touch $@

notebook: $(LAB)
	@$(BIN)/jupyter lab --notebook-dir chapters

chromium:
	@sh tools/install_chromium.sh

lint: $(STAMP)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@found=$$($(BIN)/lint-imports --no-logo --no-cache) || { echo "$$found"; exit 1; }
	@$(BIN)/python tools/notebook.py check chapters/*.ipynb

unit: $(STAMP)
	@$(BIN)/python -m pytest --quiet --numprocesses 2 -m "not browser"

# Strict: a notebook whose stored outputs are not what its cells print today fails.
notebooks: $(STAMP)
	@$(BIN)/python -m pytest --quiet --nbval --nbval-current-env chapters -p no:cacheprovider

# Strict: any warning, unknown reference included, fails; then every page is opened in a real browser.
site: chromium $(STAMP) $(NODE)
	@$(BIN)/jupyter-book build . --all --quiet -W -n --keep-going >/dev/null
	@$(BIN)/python -m pytest --quiet --numprocesses 2 --dist loadscope tests/built_site

# Not in `make test`, which runs a sample: every formula in its nearest wrong forms, each to be seen by a check.
mutants: $(STAMP)
	@$(BIN)/python tools/mutants.py
	@$(BIN)/python tools/equations.py

# Those that take many minutes are run by name: cd benchmarks && python bias.py.
LONG := bias.py class_draws.py conformance.py false_alarms.py learning_curves.py
BENCHMARKS := $(filter-out measure.py site.py redraws.py $(LONG),$(notdir $(wildcard benchmarks/*.py)))

# Not tested: times belong to the machine they were measured on. Into benchmarks/results; with RECORD=1 into the
# package, whose records the chapters read: they are then to be run again (CONTRIBUTING.md).
bench: $(STAMP)
	@cd benchmarks && for script in $(BENCHMARKS); do RECORD=$(RECORD) ../$(BIN)/python $$script || exit 1; done

# Not in `make bench`: it takes half an hour, the browser, and MathJax, which the book does not have.
bench-site: chromium book
	@cd benchmarks && ../$(BIN)/python redraws.py && ../$(BIN)/python site.py

# A server that builds again, and loads the page again, when a source changes. It comes when it is asked for.
$(RELOAD): $(STAMP)
	@$(BIN)/pip install --quiet sphinx-autobuild==2025.8.25 --constraint requirements.txt
	@touch $@

# It knows Sphinx and not Jupyter Book, which writes Sphinx's settings for it, conf.py.
serve: $(RELOAD) $(NODE)
	@$(BIN)/python -c "import socket; socket.create_server(('localhost', $(PORT)))" 2>/dev/null || \
	 { echo "Port $(PORT) cannot be used: name another, make serve PORT=..." >&2; exit 1; }
	@echo "The book will be at http://localhost:$(PORT)/ (Ctrl-C stops)"
	@PYTHONPATH=_ext $(BIN)/sphinx-autobuild . _build/served -d _build/served-trees --quiet \
	  --host localhost --port $(PORT) --pre-build "$(BIN)/jupyter-book config sphinx ." \
	  --re-ignore "/(_build|node_modules|\.[a-z_]+|tests|benchmarks)/|conf\.py$$"

clean:
	rm -rf _build conf.py build dist $(VENV) node_modules benchmarks/results *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
