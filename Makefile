# `make demo` and `make test` do all the set-up: a virtual environment in .venv with the versions of constraints.txt.
# Only a Python 3.11 or later is needed. Choose one with `make test PYTHON=/path/to/python3.12`.

PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DUMP   := examples/dumps/qemu-e1000e-nvme.txt

.PHONY: clean demo help setup test

help:
	@echo "make demo    set up, then run the multi-queue example and decode a configuration-space dump"
	@echo "make test    set up, then ruff, mypy --strict and pytest"
	@echo "make clean   remove the virtual environment and caches"

demo: $(READY)
	$(BIN)/dirql run examples/multiqueue/nine_messages.toml
	$(BIN)/dirql inspect $(DUMP)
	$(BIN)/dirql resources $(DUMP) --cpus 4

# All three run whatever the others find, and pytest speaks last.
test: $(READY)
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/mypy --strict src || failed=1; \
	$(BIN)/python -m pytest -n 2 --dist worksteal -q || failed=1; \
	exit $$failed

setup: $(READY)

# Made again only when what must be installed has changed. Debian's Python comes without ensurepip: then the pip that
# the system may have fills the environment from outside.
$(READY): pyproject.toml constraints.txt
	@set -e; python=; \
	for each in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3; do \
	  if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "dirql needs Python 3.11 or later; found: $$(python3 --version 2>&1 | head -n 1)" >&2; \
	  echo "install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13)," >&2; \
	  echo "or name it: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	[ ! -d $(VENV) ] || $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || rm -rf $(VENV); \
	if [ ! -d $(VENV) ]; then \
	  echo "making $(VENV) with $$($$python --version)"; \
	  if "$$python" -c 'import ensurepip' 2>/dev/null; then "$$python" -m venv $(VENV); \
	  elif "$$python" -m pip --version >/dev/null 2>&1; then "$$python" -m venv --without-pip $(VENV); \
	  else \
	    echo "$$python can make no virtual environment: neither ensurepip nor pip is there" >&2; \
	    echo "get it with: apt-get install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	fi; \
	if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip"; \
	else pip="$$python -m pip --python $(BIN)/python"; fi; \
	echo "installing what constraints.txt pins"; \
	$$pip install --quiet --disable-pip-version-check -c constraints.txt setuptools; \
	$$pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'; \
	touch $(READY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis src/dirql.egg-info
