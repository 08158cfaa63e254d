# The commands of this project. `make help` lists them.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
dashboard := controlplane/dashboard
npm_stamp := $(dashboard)/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help run test fuzz lint fmt up down bench sqlx dashboard clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: dashboard ## build the dashboard and the gateway, start it on http://127.0.0.1:20128 with its data in ./data
	@cargo build --release --locked -p standalone --bin omniroute
	@exec $(CARGO_TARGET_DIR)/release/omniroute --data-dir $(or $(DATA_DIR),data) $(ARGS)

test: dashboard ## every test, with a Postgres, a Redis and a Chromium of its own; ends with "N passed, M failed"
	@scripts/with-services scripts/test

fuzz: ## let a fuzzer at every reader of foreign bytes, FUZZ_SECONDS=60 each
	@scripts/fuzz $(or $(FUZZ_SECONDS),60)

lint: $(npm_stamp) ## formatting, clippy without warnings, dependency rules, eslint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/check-dependencies
	cd $(dashboard) && npm run --silent lint

fmt: ## format everything
	cargo fmt --all

up: ## the whole cluster with Docker: Postgres, Redis, 2 control planes, 2 data planes, load balancer, demo provider
	docker compose up --build

down: ## stop the cluster and keep its volumes
	docker compose down

sqlx: ## write the offline query data in .sqlx after changing SQL or migrations
	@scripts/with-services scripts/prepare-sqlx

# A machine without Node still gets the gateway; its dashboard page says how to build it.
dashboard: ## build the dashboard that the control plane embeds
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(dashboard)/dist/index.html; \
	else echo "npm not found: building without the dashboard" >&2; fi

$(npm_stamp): $(dashboard)/package-lock.json
	cd $(dashboard) && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json

$(dashboard)/dist/index.html: $(npm_stamp) $(shell find $(dashboard)/src $(dashboard)/index.html $(dashboard)/vite.config.ts -type f 2>/dev/null)
	cd $(dashboard) && npm run --silent build && touch dist/index.html

clean: ## remove build output
	rm -rf $(dashboard)/dist $(dashboard)/node_modules
	cargo clean
