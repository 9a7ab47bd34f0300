# Needs Python 3.11 or later, make and git. All paths are relative: a clone may lie in a folder with any name.

PYTHON ?= python3
bin := .venv/bin
venv := .venv/installed

# pyright comes whole from its wheel; this keeps it from asking for newer releases.
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.PHONY: test check test-stores demo demo-ui screenshots demo-live workspace bench bench-peers soak hygiene clean

# Many tests wait for processes, so one more runs at a time than there are processors. Those of a file share its fixtures.
test: check
	@echo "== tests"
	@$(bin)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile

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

# Each of the others has an environment of its own, made from nothing.
others := bench/.environments

# What is measured lies in a file of rows; the tables come from it: python bench/report.py ROWS.
rows ?= bench/results/mine.jsonl
peer_rows ?= bench/results/mine-peers.jsonl

bench: $(venv) $(others)/tpch/installed
	@echo "== bench, rows into $(rows)"
	@mkdir -p $(dir $(rows)) && rm -f $(rows) && $(bin)/python -m compileall -q engine io validation cli web src
	@for each in backfill.py "commits.py 10000" state.py contracts.py ops.py steps.py "large.py 1e9" locations.py automation.py \
		daemon.py web.py star_schema.py stores.py cluster.py; do \
		BENCH_ROWS=$(rows) $(bin)/python bench/$$each || exit 1; done
	@$(bin)/python bench/report.py $(rows)

bench-peers: $(venv) $(others)/dagster/installed $(others)/sqlmesh/installed
	@echo "== bench beside Dagster and SQLMesh, rows into $(peer_rows)"
	@mkdir -p $(dir $(peer_rows)) && rm -f $(peer_rows) && $(bin)/python -m compileall -q engine io validation cli web src
	@BENCH_ROWS=$(peer_rows) $(bin)/python bench/side_by_side.py
	@$(bin)/python bench/report.py $(peer_rows)

$(others)/dagster/installed: packages = "dagster>=1.13,<1.14" "dagster-webserver>=1.13,<1.14" \
	dagster-deltalake dagster-deltalake-polars \
	"polars==2.1.*" "deltalake==1.6.*" "pandera[polars]==0.35.*"
$(others)/sqlmesh/installed: packages = "sqlmesh==0.236.*" "duckdb>=1.5,<2" pandas
$(others)/tpch/installed: packages = "tpchgen-cli==4.*"
$(others)/%/installed:
	@echo "== install into $(others)/$*"
	@$(PYTHON) -m venv $(others)/$* && $(others)/$*/bin/python -m pip install --quiet $(packages)
	@touch $@

# SEED=7 repeats the chance of a campaign. The report is written also if something failed.
soak: $(venv)
	@echo "== soak"
	@DELTAWORKS_CAMPAIGN="$(CURDIR)/docs/faults.jsonl" DELTAWORKS_SEED="$(SEED)" $(bin)/python -m pytest -m "soak or counted"; \
		code=$$?; $(bin)/python -m tests.campaign.report docs/faults.jsonl docs/faults.md; exit $$code

# The tools stand apart from what they look at. An index that serves no advisories makes pip-audit skip every package, and say so.
hygiene := build/hygiene
permissive := Apache-2.0;Apache Software License;BSD License;BSD-2-Clause;BSD-3-Clause;ISC License (ISCL);MIT;MIT License;PSF-2.0;Python Software Foundation License
hygiene: $(hygiene)/installed
	@echo "== security lint"
	@$(hygiene)/tools/bin/bandit --quiet --configfile pyproject.toml --recursive engine io validation cli web src/deltaworks/*.py
	@echo "== licences"
	@$(hygiene)/tools/bin/pip-licenses --python $(hygiene)/product/bin/python --from=mixed --partial-match --allow-only="$(permissive)"
	@echo "== known vulnerabilities"
	@$(hygiene)/tools/bin/pip-audit --progress-spinner off --path $$($(hygiene)/product/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	@echo "== bill of materials: $(hygiene)/deltaworks.cdx.json"
	@$(hygiene)/tools/bin/cyclonedx-py environment $(hygiene)/product/bin/python --pyproject pyproject.toml --output-file $(hygiene)/deltaworks.cdx.json
	@echo "== reproducible wheel"
	@for copy in one other; do rm -rf $(hygiene)/$$copy && git archive --prefix=$(hygiene)/$$copy/tree/ HEAD | tar -x && \
		$(hygiene)/tools/bin/python -m build --quiet --outdir $(hygiene)/$$copy $(hygiene)/$$copy/tree >/dev/null || exit 1; done
	@cmp $(hygiene)/one/*.whl $(hygiene)/other/*.whl && echo "the same bytes: $$(sha256sum < $$(ls $(hygiene)/one/*.whl) | cut -d ' ' -f 1)"

$(hygiene)/installed: pyproject.toml
	@echo "== install into $(hygiene)"
	@for name in tools product; do $(PYTHON) -m venv $(hygiene)/$$name || exit 1; done
	@$(hygiene)/product/bin/python -m pip install --quiet ".[all]"
	@$(hygiene)/tools/bin/python -m pip install --quiet bandit build cyclonedx-bom pip-audit pip-licenses
	@touch $@

# Azurite comes from npm; nothing else needs Node.js.
azurite := build/azurite
test-stores: $(venv) $(azurite)/installed
	@echo "== stores: a local folder, S3 by moto, Azure by Azurite, Google by a stand-in"
	@$(bin)/python -m pytest -n auto -m "not soak" tests/stores

$(azurite)/installed:
	@echo "== install into $(azurite)"
	@mkdir -p $(azurite)
	@npm install --silent --no-audit --no-fund --no-save --prefix $(azurite) azurite@3
	@touch $@

clean:
	@rm -rf .venv build dist .*_cache .hypothesis examples/*/lake $(workspace) $(others)
	@find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp is touched last, so that a broken installation is made again.
$(venv): pyproject.toml
	@echo "== install into .venv"
	@$(PYTHON) -m venv .venv
	@$(bin)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(bin)/python -m pip install --quiet --editable . --group dev
	@touch $@
