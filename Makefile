# Souk: what there is to make. `make help` lists it.

SHELL   := /bin/bash
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
SEEDS   ?= 2000
CHAOS   ?= 10m
SEED    ?= $(shell date +%s)
FUZZ    ?= 30s
BENCH   ?= .

# souk is pure Go and static: it runs wherever it is copied. Only the
# containerizer links libcontainer, which needs cgo; it is static too.
SOUK_FLAGS          := -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
CONTAINERIZER_FLAGS := -trimpath -tags netgo,osusergo,seccomp -ldflags '-s -w -extldflags "-static"'

.DEFAULT_GOAL := help
.PHONY: help build run test test-cgroup2 lint bench sim chaos crash leak fuzz e2e proto check-proto setup

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: setup ## build bin/souk, bin/souk-containerizer and bin/souk-bench
	CGO_ENABLED=0 $(GO) build $(SOUK_FLAGS) -o bin/souk ./cmd/souk
	CGO_ENABLED=0 $(GO) build $(SOUK_FLAGS) -o bin/souk-bench ./cmd/souk-bench
	CGO_ENABLED=1 $(GO) build $(CONTAINERIZER_FLAGS) -o bin/souk-containerizer ./cmd/souk-containerizer

run: build ## run a one-machine cluster in the foreground; state in ./.souk
	@exec bin/souk local --work-dir .souk

test: build ## run every test (as root: with real containers)
	$(GO) test -timeout 15m ./...

lint: setup check-proto ## check formatting, vet, and that generated code is fresh
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags netgo,osusergo,seccomp ./agent/containerizer/... ./cmd/souk-containerizer

test-cgroup2: setup ## test containers on cgroup v2, and XFS quotas, in an emulated machine
	scripts/cgroup2.sh

bench: ## run the benchmarks; BENCH=regexp chooses
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

sim: ## run SEEDS simulated clusters through faults
	$(GO) run ./internal/simulation/simulate -seeds $(SEEDS)

chaos: build ## break a real cluster for CHAOS while it works (root); SEED chooses what breaks
	$(GO) test -v -count 1 -timeout 0 ./internal/chaos -run '^TestChaos$$' -args -duration $(CHAOS) -seed $(SEED)

fuzz: ## run every fuzz target for FUZZ each
	scripts/fuzz.sh $(FUZZ)

e2e: build ## start a whole cluster and use it as a newcomer would, and with clients of others
	scripts/setup.sh clients
	$(GO) test -count 1 -timeout 15m ./internal/local -run 'EndToEnd'

crash: ## kill agents, helpers and shims for two minutes while 200 containers run; find every exit status
	$(GO) test -count 1 -timeout 20m -run 'EveryExitStatusIsFound' -v ./agent/containerizer/runc -crash.for=2m -crash.tasks=200

leak: ## launch 2,000 containers and look for what they left behind
	$(GO) test -count 1 -timeout 20m -run 'ManyContainersLeaveNothing' -v ./agent/containerizer/runc -leak.containers=2000

proto: setup ## generate Go from the .proto files
	scripts/proto.sh

check-proto: setup ## fail if generated code is stale
	scripts/proto.sh --check

setup: # install what building needs and the machine lacks
	@scripts/setup.sh
