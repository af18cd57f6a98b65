# `make help` says what there is. Nothing has to be installed first but Go, and root for what needs a cluster.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The repository is two modules joined by go.work: what ships, and test/cluster, which needs all of Kubernetes. What
# ships is built without the other one, so that its versions alone decide.
export GOWORK := off
GO ?= go
TOOL := $(GO) tool -modfile=go.tools.mod
# The programs that are built for tests and for the demo.
BIN := $(CURDIR)/bin
CLUSTER_NAME ?= koperator
CLUSTER := $(BIN)/cluster --name $(CLUSTER_NAME)

KAFKA_VERSION ?= 4.3.1
OLD_KAFKA_VERSION := 4.2.1
ENVOY_VERSION := 1.40.0
# The programs of ours. The tag of an image follows from its content: an unchanged program is never restarted, a changed
# one is.
PROGRAMS := broker-manager envoy-manager cruisecontrol-manager
tag_of = $$(sha256sum $(BIN)/$(1) | cut -c1-12)
# Tests have no Cruise Control, but a stand-in that speaks as it does.
STAND_IN := cruise-control-stand-in
# The images of the local clusters, as the demo and the tests are told of them.
OUR_IMAGES = BROKER_MANAGER_IMAGE=localhost/broker-manager:$(call tag_of,broker-manager) \
  ENVOY_MANAGER_IMAGE=localhost/envoy-manager:$(call tag_of,envoy-manager) ENVOY_IMAGE=localhost/envoy:$(ENVOY_VERSION) \
  CRUISECONTROL_MANAGER_IMAGE=localhost/cruisecontrol-manager:$(call tag_of,cruisecontrol-manager) \
  CRUISE_CONTROL_IMAGE=localhost/$(STAND_IN):$(call tag_of,$(STAND_IN))
# What both the demo and the tests load into the nodes.
OUR_TARS := $(addprefix $(BIN)/images/,$(addsuffix .tar,$(PROGRAMS) $(STAND_IN) kafka-$(KAFKA_VERSION) envoy-$(ENVOY_VERSION)))
# What is in Kafka's image, for its tools to run outside the cluster.
KAFKA_CLIENT := $(BIN)/kafka-client-$(KAFKA_VERSION)

# The cluster of the end to end tests is this clone's own: a demo, and the tests of another clone, go on beside it.
# KEEP=1 leaves it running, and so does a run that found it running.
E2E_NAME ?= e2e-$(shell printf '%s' '$(CURDIR)' | cksum | cut -c1-6)
E2E_CLUSTER := $(BIN)/cluster --name $(E2E_NAME)
E2E_TIMEOUT ?= 40m
E2E_FLAGS ?=
E2E_TAGS ?= e2e

# The API server of tests, and a kubectl for who has none. `=` because it is built when it is asked for, not before.
ASSETS = $$($(BIN)/cluster assets)
# Envoy itself, for tests that run it on this machine.
WITH_ENVOY = envoy=$$($(BIN)/cluster envoy); export ENVOY_BIN=$$envoy
KUBECTL ?= kubectl
WITH_KUBECTL = assets=$(ASSETS); export PATH="$$PATH:$$assets"

step = @printf '\n\033[1m==> %s\033[0m\n' '$(1)'

##@ Try it

.PHONY: demo
demo: ## Start a local Kubernetes, a Kafka cluster on it, and send records through it; or on the cluster of KUBECONFIG.
ifdef KUBECONFIG
	@$(GO) run ./test/demo up
else
	@$(MAKE) --no-print-directory cluster-up images-demo
	@$(CLUSTER) load $(OUR_TARS)
	$(call step,demo)
	@CGO_ENABLED=0 $(GO) build -buildvcs=false -o $(BIN)/demo-program ./test/demo
	@$(WITH_KUBECTL); KUBECONFIG=$$($(CLUSTER) kubeconfig --path) $(OUR_IMAGES) KAFKA_IMAGE=localhost/kafka:$(KAFKA_VERSION) \
	  KAFKA_CLIENT=$(KAFKA_CLIENT) DEMO_OUTSIDE='$(CLUSTER) exec -- $(BIN)/demo-program outside' $(BIN)/demo-program up
endif

.PHONY: demo-down
demo-down: ## Remove all of the demo.
ifdef KUBECONFIG
	@$(GO) run ./test/demo down
else
	@$(MAKE) --no-print-directory cluster-down
endif

##@ Test it

.PHONY: test
test: ## Everything that must pass: lint, generated files, unit, API and end to end tests.
	$(call step,make test: from nothing this takes up to an hour on two cores; again about half an hour)
	@begin=$$SECONDS; \
	for target in lint verify-generated test-unit test-api test-cluster test-e2e; do \
	  $(MAKE) --no-print-directory $$target; \
	  printf '==> %s passed, %d min %02d s in all\n' $$target $$(((SECONDS-begin)/60)) $$(((SECONDS-begin)%60)); \
	done

.PHONY: lint
lint: ## Look for mistakes, and hold the rules of who may import whom.
	$(call step,lint (the first time takes five minutes: the linter and all libraries are built))
	$(TOOL) golangci-lint run --allow-parallel-runners ./...
	linter=$$($(TOOL) -n golangci-lint); cd test/cluster && "$$linter" run --allow-parallel-runners --config ../../.golangci.yml ./...
	out=$$(find . -name '*.sh' -not -path './bin/*' -exec bash -n {} \; 2>&1); [ -z "$$out" ] || { echo "$$out"; exit 1; }

.PHONY: verify-generated
verify-generated: ## Fail if generated files are not up to date.
	$(call step,generated files)
	@before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; cp -R apis config "$$before"; \
	$(MAKE) --no-print-directory generate; \
	diff -r "$$before/apis" apis && diff -r "$$before/config" config || \
	  { echo 'generated files were not up to date; they are now: look at the difference above and commit it'; exit 1; }
	@echo 'generated files are up to date'

.PHONY: test-unit
test-unit: cluster-tool ## The inner loop: unit and golden tests, and controllers on a real kube-apiserver.
	$(call step,unit tests and controllers (building the kube-apiserver takes ten minutes once))
	$(WITH_ENVOY); assets=$(ASSETS); KUBEBUILDER_ASSETS=$$assets \
	  $(GO) test $(TEST_FLAGS) ./apis/... ./cmd/... ./controllers/... ./cruisecontrol/... ./envoy/... ./test/cruisecontrol/... ./test/demo/...

.PHONY: test-api
test-api: cluster-tool ## Every rule of the CRDs, the samples and the manifests on a real kube-apiserver.
	$(call step,API tests)
	assets=$(ASSETS); KUBEBUILDER_ASSETS=$$assets $(GO) test $(TEST_FLAGS) ./test/cel/...

.PHONY: test-cluster
test-cluster: ## Unit tests of the local Kubernetes.
	$(call step,tests of test/cluster)
	cd test/cluster && $(GO) test $(TEST_FLAGS) ./...

.PHONY: test-e2e
test-e2e: cluster-tool images ## End to end on a local Kubernetes of its own: crashes, power cuts, restarts under load.
	$(call step,end to end)
	CGO_ENABLED=0 $(GO) test -tags $(E2E_TAGS) -c -o $(BIN)/e2e.test ./test/e2e
	@[ -n "$${KEEP:-}" ] || $(E2E_CLUSTER) status > /dev/null 2>&1 || trap '$(E2E_CLUSTER) down' EXIT; \
	$(E2E_CLUSTER) up; \
	$(E2E_CLUSTER) load $(OUR_TARS) $(BIN)/images/kafka-$(OLD_KAFKA_VERSION).tar; \
	$(WITH_KUBECTL); KOPERATOR_CLUSTER='$(E2E_CLUSTER)' $(OUR_IMAGES) KAFKA_CLIENT=$(KAFKA_CLIENT) \
	  $(E2E_CLUSTER) exec -- $(BIN)/e2e.test -test.v -test.timeout $(E2E_TIMEOUT) $(E2E_FLAGS)

.PHONY: test-full
test-full: test ## All of test, again with the race detector, and against Kafka's own processes.
	$(call step,race detector)
	$(WITH_ENVOY); assets=$(ASSETS); KOPERATOR_TEST_FULL=1 KUBEBUILDER_ASSETS=$$assets \
	  $(GO) test -race -timeout 60m ./apis/... ./cmd/... ./controllers/... ./cruisecontrol/... ./envoy/... ./test/cruisecontrol/...
	$(call step,against Kafka)
	@$(MAKE) --no-print-directory test-kafka
	$(call step,a full disk and interrupted operations)
	@$(MAKE) --no-print-directory test-e2e E2E_TAGS=e2e,full E2E_FLAGS='-test.run "TestDiskIsFull|TestCruiseControlIsInterrupted"'

.PHONY: test-kafka
test-kafka: $(BIN)/kafka-$(KAFKA_VERSION) ## The client of Kafka against real processes of Kafka.
	KOPERATOR_KAFKA_HOME=$< $(GO) test -tags e2e -run TestRealKafka -v ./apis/machinery/kafka

$(BIN)/kafka-$(KAFKA_VERSION):
	mvn --batch-mode --quiet --file test/cluster/internal/kafkaimage/files/pom.xml -Dkafka.version=$(KAFKA_VERSION) \
	  dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$@.new/libs
	mv $@.new $@

.PHONY: bench
bench: cluster-tool ## How long things take and how much memory they need; printed, not judged.
	$(call step,benchmarks)
	$(WITH_ENVOY); assets=$(ASSETS); KUBEBUILDER_ASSETS=$$assets $(GO) test -run '^$$' -bench . -benchmem ./controllers/... ./cruisecontrol/... ./envoy/...

##@ Change it

.PHONY: generate
generate: ## Generate deep copies, apply configurations, CRDs and roles from the Go code.
	$(TOOL) controller-gen object crd:maxDescLen=10000 applyconfiguration paths=./apis/... output:crd:dir=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=koperator-broker-manager paths=./controllers/... output:rbac:dir=config/rbac/broker-manager
	$(TOOL) controller-gen rbac:roleName=koperator-envoy-manager paths=./envoy/... output:rbac:dir=config/rbac/envoy-manager
	$(TOOL) controller-gen rbac:roleName=koperator-cruisecontrol-manager paths=./cruisecontrol/... output:rbac:dir=config/rbac/cruisecontrol-manager

.PHONY: update-golden
update-golden: cluster-tool ## Write the golden files again. Read the difference: a changed Pod restarts every broker.
	for package in desired quorum removal rollout; do $(GO) test ./controllers/internal/$$package -update; done
	$(GO) test ./cruisecontrol/deployment ./cruisecontrol/plan -update
	$(WITH_ENVOY); for package in fleet/objects fleet/ports translate; do $(GO) test ./envoy/$$package -update; done
	assets=$(ASSETS); KUBEBUILDER_ASSETS=$$assets $(GO) test ./test/cel -run TestExplain -update

.PHONY: fmt
fmt: ## Format the Go code.
	$(TOOL) golangci-lint fmt ./...

.PHONY: build
build: ## Build the programs into bin/: static, for an image of nothing else.
	CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w' -o $(BIN)/ $(addprefix ./cmd/,$(PROGRAMS))
	CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w' -o $(BIN)/$(STAND_IN) ./test/cruisecontrol/cmd

.PHONY: images
images: images-demo ## Make container images, without a container engine, into bin/images/.
	$(BIN)/cluster image kafka $(OLD_KAFKA_VERSION) --output $(BIN)/images/kafka-$(OLD_KAFKA_VERSION).tar

.PHONY: images-demo
images-demo: cluster-tool build
	$(call step,images)
	mkdir -p $(BIN)/images
	for program in $(PROGRAMS); do \
	  $(BIN)/cluster image program $$program $(BIN)/$$program --tag $(call tag_of,$$program) --output $(BIN)/images/$$program.tar; \
	done
	$(BIN)/cluster image $(STAND_IN) $(BIN)/$(STAND_IN) --tag $(call tag_of,$(STAND_IN)) --output $(BIN)/images/$(STAND_IN).tar
	$(BIN)/cluster image kafka $(KAFKA_VERSION) --output $(BIN)/images/kafka-$(KAFKA_VERSION).tar
	$(BIN)/cluster image envoy --output $(BIN)/images/envoy-$(ENVOY_VERSION).tar
	@$(MAKE) --no-print-directory $(KAFKA_CLIENT)

# Kafka's own tools with their Java, out of the image: each of its layers is a tar in a tar.
$(KAFKA_CLIENT): $(BIN)/images/kafka-$(KAFKA_VERSION).tar
	@rm -rf $@ $@.new; mkdir -p $@.new; \
	for layer in $$(tar -xOf $< manifest.json | grep -o '[0-9a-f]*\.tar'); do \
	  if tar -xOf $< $$layer | tar -t | grep -c '^opt/' > /dev/null; then tar -xOf $< $$layer | tar -x -C $@.new opt; fi; \
	done; \
	mv $@.new $@

.PHONY: clean
clean: ## Remove what was built here. What is in the cache of the user stays.
	rm -rf $(BIN)

##@ Local Kubernetes

.PHONY: cluster-tool
cluster-tool:
	@cd test/cluster && $(GO) build -buildvcs=false -o $(BIN)/cluster .

.PHONY: cluster-up
cluster-up: cluster-tool ## Start three nodes in three zones on this machine.
	$(call step,local Kubernetes (building it takes a quarter of an hour once))
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: cluster-tool ## Stop them, and leave nothing behind.
	$(CLUSTER) down

##@ Your own Kubernetes, the one that kubectl talks to

.PHONY: install
install: ## Install the CRDs and broker-manager. Say which image: BROKER_MANAGER_IMAGE=registry/name:tag
	@$(GO) run ./test/demo install

.PHONY: uninstall
uninstall: ## Remove broker-manager. The CRDs, and with them all KafkaClusters, stay.
	for program in $(PROGRAMS); do \
	  $(KUBECTL) delete --ignore-not-found -k config/manager/$$program; $(KUBECTL) delete --ignore-not-found -k config/rbac/$$program; \
	done

##@ Help

.PHONY: help
help: ## Say what there is.
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
