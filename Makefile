# Tributary. `make run` starts it with demo data, `make test` runs every test;
# both install what they need first.

export CGO_ENABLED := 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
ENGINE_VERSION := 26.5.3

.PHONY: run build test lint bench torture assets deps test-deps docs clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: build ## build and start with demo data: API, tracker and an embedded ClickHouse
	bin/tributary serve --demo

build: assets ## build bin/tributary
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/tributary ./cmd/tributary

test: assets test-deps ## run every test
	go test -timeout 10m -parallel 4 ./... # much of it waits for processes and disks

lint: assets ## gofmt, vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

bench: build ## measure this build against nginx and its own promises (needs nginx and wrk; minutes)
	go run ./bench

torture: build ## break it in every way it promises to survive, and check that nothing was lost (two hours or so; the short form is part of make test)
	go test ./ingest/spool -run PowerLoss -powerloss.seeds 1000000 -timeout 3h
	go run ./torture

docs: build ## write the generated references in docs/
	bin/tributary docs configuration > docs/configuration.md
	bin/tributary docs metrics > docs/metrics.md
	bin/tributary docs reports > docs/reports.md
	go run ./bench -scaling docs/scaling.md
	go test ./cmd/tributary -run TestLicencesAreListed -count 1 -licences.write

clean: ## remove what was built, not what was stored
	rm -rf bin

# ---- What is installed -------------------------------------------------------
# Third-party files come through npm, pinned and checksummed by package-lock.json:
# the ClickHouse engine library, the crawler list, and what tests compare with.

CRAWLERS := redirect/verdict/assets/crawler-user-agents.json
CHARTS := admin/dashboard/thirdparty/uplot.js admin/dashboard/thirdparty/uplot.css

deps: node_modules/.package-lock.json ## install what building, running and testing need

test-deps: ## install the browser the tag and the dashboard are tested in, what runs the recipes' clients, and what reads deploy/
	$(call installed,command -v python3,python3,python)
	$(call installed,command -v initdb || ls /usr/lib/postgresql/*/bin/initdb,postgresql,postgresql)
	$(call installed,command -v nginx || test -x /usr/sbin/nginx,nginx,nginx)
	$(call installed,command -v caddy,caddy,caddy)
	$(call installed,command -v promtool,prometheus,prometheus)
	$(call installed,command -v openssl,openssl,openssl)
	$(call installed,test "$$(uname -s)" != Linux || command -v systemd-analyze,systemd,systemd)
	$(call installed,command -v php,php-cli,php)
	$(call installed,command -v redis-server,redis-server,redis)
	$(call installed,test -x /usr/sbin/clickhouse-server || command -v clickhouse-server,clickhouse-server,clickhouse)
	$(call installed,command -v java,default-jre-headless,openjdk)
	$(call installed,ls /usr/share/java/zookeeper.jar || ls -d /opt/homebrew/opt/zookeeper || ls -d /usr/local/opt/zookeeper,libzookeeper-java,zookeeper)
	$(call installed,command -v chromium || command -v chromium-browser || command -v google-chrome,chromium,chromium)

# installed: how to see that it is there, its name for apt-get, its name for brew.
define installed
@{ $(1); } >/dev/null || { \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy $(2); \
	else echo "$(2) is missing. Install it: 'sudo apt-get install $(2)' or 'brew install $(3)'" >&2; exit 1; fi; }
endef

assets: deps $(CRAWLERS) $(CHARTS) ## put third-party files where the build embeds them

$(CRAWLERS): node_modules/.package-lock.json
	@mkdir -p $(@D)
	cp node_modules/crawler-user-agents/crawler-user-agents.json $@

admin/dashboard/thirdparty/uplot.js: node_modules/.package-lock.json
	cp node_modules/uplot/dist/uPlot.iife.min.js $@

admin/dashboard/thirdparty/uplot.css: node_modules/.package-lock.json
	cp node_modules/uplot/dist/uPlot.min.css $@

node_modules/.package-lock.json: package.json package-lock.json
	$(call need,go,https://go.dev/dl/ or 'brew install go' (1.21 or newer: it fetches the version of go.mod by itself))
	$(call need,npm,'apt-get install nodejs npm' or 'brew install node')
	npm ci --no-audit --no-fund
	@ls node_modules/@chdb/lib-*/libchdb.* >/dev/null 2>&1 || { \
		echo "npm installed no ClickHouse engine library for $$(uname -sm): there are ones for Linux with glibc and macOS, x64 and arm64."; \
		echo "If this is one of them, npm could not fetch @chdb/lib-…@$(ENGINE_VERSION): run 'make deps' again when the npm registry answers."; \
		rm -f $@; exit 1; } >&2
	@touch $@

define need
@command -v $(1) >/dev/null || { echo "$(1) is missing. Install it: $(2)" >&2; exit 1; }
endef
