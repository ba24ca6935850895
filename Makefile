# The two commands of the README, and what developers call while they work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test images lint unit bench soak install test-packages clean

demo: install
	$(BIN)/podwright lab demo

# What need not be left alone has both processors first; labs and devices, whose seconds count, have them to themselves.
# One `pytest` runs the same tests one after the other.
SIDE_BY_SIDE := tests/unit tests/databases tests/playbooks

test: install test-packages
	$(MAKE) --jobs 2 --output-sync lint images
	$(BIN)/pytest $(SIDE_BY_SIDE) --numprocesses 2 --dist loadgroup
	$(BIN)/pytest $(SIDE_BY_SIDE:%=--ignore %)

images: install
	$(BIN)/podwright lab images

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline --strict

unit: install test-packages
	$(BIN)/pytest tests/unit --numprocesses 2

bench: install test-packages
	$(BIN)/python -m tests.bench.allocation
	$(BIN)/python -m tests.bench.switches
	$(BIN)/python -m tests.bench.render
	$(BIN)/python -m tests.bench.switch_runs
	$(BIN)/python -m tests.bench.deploy

# Controllers by the dozen, killed with their servers: some minutes for each database.
soak: install test-packages
	$(BIN)/python -m tests.databases.soak

# yanglint judges the payloads for switches. Of the databases, mariadb-server has the scripts by which a Galera node
# gets its state (mariadb-server-core lacks them); those use rsync, and find its port with ss.
TEST_PACKAGES := libyang2-tools galera-4 iproute2 mariadb-server netconfd openssh-server openvswitch-switch postgresql-15 rsync
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends

install: $(VENV)/.installed
	@$(call need,$$($(BIN)/podwright lab requirements))

test-packages: $(VENV)/.simulator
	@tests/install-packages.sh $(TEST_PACKAGES)

# The simulator of switches has an environment of its own: what it needs would take newer packages away from us.
$(VENV)/.simulator: tests/devices/requirements.txt $(VENV)/.installed
	$(PYTHON) -m venv $(VENV)/simulator
	$(VENV)/simulator/bin/pip install --quiet --requirement $<
	touch $@

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(call need,$$($(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

# Install the Debian packages that a command names, if it names any.
define need
set -e; missing="$(1)"; if [ -n "$$missing" ]; then \
  echo "Installing Debian packages:" $$missing; \
  apt-get update -q && $(APT_INSTALL) $$missing; \
fi
endef

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible dist
