# make run and make test are all that a clean clone needs, on Debian with Go and make.

GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT     = go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
GOVULNCHECK   = go run golang.org/x/vuln/cmd/govulncheck@v1.1.4

LISTEN   ?= 127.0.0.1:9093
HISTORIES ?= 10000
CRASHES   ?= 10
FAILOVERS ?= 200
MEMBERS   ?= 3
MODELS    ?= 10
FUZZTIME ?= 30s
SOAK     ?= 30m
SOAK_DATABASE ?= sqlite
SIZING   ?= 5m

VERSION  = github.com/prometheus/common/version
GIT      = $(shell git $(1) 2>/dev/null)
LDFLAGS  = -X $(VERSION).Version=$(or $(call GIT,describe --tags --always --dirty),unknown) \
           -X $(VERSION).Revision=$(or $(call GIT,rev-parse HEAD),unknown) \
           -X $(VERSION).Branch=$(or $(call GIT,rev-parse --abbrev-ref HEAD),unknown)

.PHONY: build run demo test lint fmt compat torture torture-crash torture-ha torture-model fuzz bench bench-accept bench-peer soak sizing vuln clean help

build: ## the binary, bin/tocsin
	go build -ldflags '$(LDFLAGS)' -o bin/tocsin ./cmd/tocsin

run: build ## the server, with a configuration to start with and its database in data/
	@echo
	@echo "The page is at http://$(LISTEN)/ and the configuration in examples/quickstart/alertmanager.yml:"
	@echo "change it while the server runs. Ctrl-C ends it; the alerts are kept in data/."
	@echo
	@bin/tocsin --config.file=examples/quickstart/alertmanager.yml --storage.path=data --web.listen-address=$(LISTEN)

demo: build ## the server with real alerts: an exporter, and Debian's victoria-metrics and vmalert, fetched where missing
	@missing=$$(.ci/debian victoria-metrics victoria-metrics vmalert victoria-metrics) || { echo "not to be had here:$$missing" >&2; exit 1; }
	@go build -o bin/demo ./examples/demo
	@PATH="$$PWD/bin/debian/usr/bin:$$PATH" bin/demo --listen=$(LISTEN)

test: ## all tests with the race detector; installs what they need where it can
	@.ci/test

lint: ## vet, gofumpt, goimports, and the linters in .golangci.yml
	go vet ./...
	$(GOLANGCI_LINT) run ./...

fmt: ## formats all files as lint wants them
	$(GOLANGCI_LINT) fmt ./...

# Alertmanager's own acceptance suite, from the module's copy, against our binary. The two tests that
# are left out need processes that gossip.
compat: ## Alertmanager's acceptance suite against our binary; a part of test
	go test -count=1 -v -run '^TestCompat$$' ./cmd/tocsin

torture: ## random histories that no run had before, HISTORIES of them; one that fails is made as short as can be
	TOCSIN_TORTURE=$(HISTORIES) go test -count=1 -timeout 24h -run '^TestRandomHistories' ./alarm

# Each run has a seed, which the test prints; TOCSIN_E2E_SEED repeats it.
torture-crash: ## kill -9 at each failpoint, CRASHES rounds on each of DATABASES: sqlite, postgres, mysql
	TOCSIN_CRASHES=$(CRASHES) .ci/torture TestCrashMatrix TOCSIN_CRASH_DATABASE $(or $(DATABASES),sqlite postgres mysql)

torture-ha: ## FAILOVERS of MEMBERS servers under load, on each of DATABASES: postgres, mysql
	TOCSIN_FAILOVERS=$(FAILOVERS) TOCSIN_MEMBERS=$(MEMBERS) .ci/torture TestFailOver TOCSIN_HA_DATABASE $(or $(DATABASES),postgres mysql)

torture-model: ## random traces on real servers, MODELS of each cast, compared with the reference model; a leader is paused for a minute
	TOCSIN_MODEL_SHRINK=10 .ci/torture TestModel TOCSIN_MODEL $(MODELS)

fuzz: ## each fuzz test for FUZZTIME
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for name in $$(go test -list '^Fuzz' $$dir | grep '^Fuzz'); do \
			echo "$$dir $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s $$dir || exit 1; \
		done; \
	done

# The baseline is of one machine: compare on that one, or accept a baseline of your own first. CI does
# not run it, because its machines differ.
bench: ## all benchmarks, compared with the accepted baseline
	@mkdir -p bin
	go test -run '^$$' -bench . -benchmem -count 6 -timeout 2h ./... | tee bin/bench.txt
	@if [ -f .ci/bench.txt ]; then $(BENCHSTAT) .ci/bench.txt bin/bench.txt; fi

bench-accept: ## makes the last run of bench the baseline
	grep -E '^(goos|goarch|pkg|cpu|Benchmark)' bin/bench.txt > .ci/bench.txt

bench-peer: ## tocsin and Alertmanager under the same load, side by side, in three minutes
	go run ./cmd/internal/loadtest $(BENCHPEER)

soak: ## SOAK of mixed load on SOAK_DATABASE (sqlite; postgres or mysql: two servers); the report is in bin/soak.md
	@mkdir -p bin
	TOCSIN_SOAK=$(SOAK) TOCSIN_SOAK_REPORT=$(CURDIR)/bin/soak.md .ci/torture TestSoak TOCSIN_SOAK_DATABASE $(SOAK_DATABASE)

sizing: ## what each database has to do for 100,000 alerts, measured for SIZING each
	.ci/torture TestSizing TOCSIN_SIZING $(SIZING)

# Needs a database from outside, which GOVULNDB may point to (file:// works); so CI does not run it.
vuln: ## known vulnerabilities in what we import
	$(GOVULNCHECK) ./...

clean: ## removes what was built; data/ stays
	rm -rf bin

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15
