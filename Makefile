# Needs Python 3.11 or later, make and git. All paths are relative: a clone may lie in a folder with any name.

PYTHON ?= python3
bin := .venv/bin
venv := .venv/installed

# pyright comes whole from its wheel; this keeps it from asking for newer releases.
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.PHONY: test check demo demo-ui screenshots demo-live workspace bench soak clean

test: check
	@echo "== tests"
	@$(bin)/python -m pytest -n auto --dist loadgroup

# mypy starts in src: in the root it would take io/ for the standard library's.
check: $(venv)
	@echo "== format"
	@$(bin)/ruff format --check .
	@echo "== lint"
	@$(bin)/ruff check .
	@echo "== types (pyright)"
	@$(bin)/pyright
	@echo "== types (mypy)"
	@cd src && ../$(bin)/mypy --strict --config-file ../pyproject.toml --cache-dir ../.mypy_cache deltaworks ../examples
	@echo "== layers"
	@$(bin)/lint-imports --no-logo

demo: $(venv)
	@echo "== deltaworks backfill"
	@cd examples/flights && ../../$(bin)/deltaworks backfill
	@echo "== deltaworks status"
	@cd examples/flights && ../../$(bin)/deltaworks status
	@echo "== deltaworks show trailing_week -n 5"
	@cd examples/flights && ../../$(bin)/deltaworks show trailing_week -n 5
	@echo "== next: edit an expression in examples/flights/flights.py, then"
	@echo "   cd examples/flights && ../../$(bin)/deltaworks plan"

demo-ui: $(venv)
	@echo "== the UI of a lake with some of everything: fresh, stale, failed, running, written by others"
	@$(bin)/python examples/flights/demo_ui.py

# Needs Chromium, as the browser tests do.
screenshots: $(venv)
	@$(bin)/python examples/flights/demo_ui.py --screenshots docs/ui

demo-live: $(venv)
	@echo "== a minute of examples/inbox: files land, sensors carry them on, a schedule reports"
	@$(bin)/python examples/inbox/live.py

# Both locations get this deltaworks. The second one keeps an older Polars, against the bounds of the package: that is the point.
workspace := examples/workspace/.environments
workspace: $(workspace)/installed
	@cd examples/workspace && for command in "list locations" check backfill status "show turnover -n 3"; do \
		echo "== deltaworks $$command" && ../../$(bin)/deltaworks $$command || exit 1; done

$(workspace)/installed: $(venv)
	@echo "== install into $(workspace)"
	@for name in shop finance; do $(PYTHON) -m venv $(workspace)/$$name && \
		$(workspace)/$$name/bin/python -m pip install --quiet . || exit 1; done
	@$(workspace)/finance/bin/python -m pip install --quiet --no-deps "polars==2.0.0" "polars-runtime-32==2.0.0"
	@touch $@

bench: $(venv)
	@echo "== bench"
	@$(bin)/python bench/backfill.py
	@$(bin)/python bench/commits.py
	@$(bin)/python bench/state.py
	@$(bin)/python bench/contracts.py
	@$(bin)/python bench/ops.py
	@$(bin)/python bench/steps.py
	@$(bin)/python bench/large.py
	@$(bin)/python bench/locations.py

# SEED=7 repeats the chance of a campaign. The report is written also if something failed.
soak: $(venv)
	@echo "== soak"
	@DELTAWORKS_CAMPAIGN="$(CURDIR)/docs/faults.jsonl" DELTAWORKS_SEED="$(SEED)" $(bin)/python -m pytest -m "soak or counted"; \
		code=$$?; $(bin)/python -m tests.campaign.report docs/faults.jsonl docs/faults.md; exit $$code

clean:
	@rm -rf .venv build dist .*_cache .hypothesis examples/*/lake $(workspace)
	@find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp is touched last, so that a broken installation is made again.
$(venv): pyproject.toml
	@echo "== install into .venv"
	@$(PYTHON) -m venv .venv
	@$(bin)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(bin)/python -m pip install --quiet --editable . --group dev
	@touch $@
