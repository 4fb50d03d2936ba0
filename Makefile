# kubectl wg. `make` lists what there is to make.
#
# Needs Go (go.mod says which; an older Go fetches it) and, for all that starts
# a lab, Linux and root. The rest is installed on the way.

BACKEND   ?= wireguard
GROUND    ?= auto
NODES     ?= 2
JUDGED    ?= 100,300,1000
SCALE     ?= 100,300,1000
SCALED    ?= verify
REPEAT    ?= 20
PAIRS     ?= 30
SEED      ?= 1
MINUTES   ?= 30
PLATFORMS ?= linux/amd64,linux/arm64,linux/arm/v7
# Of the plugin's archives; empty for all.
DESKTOPS  ?=
# What decides and what reads bytes. plugin/check alone takes hours: RUN chooses
# its tests.
PACKAGES  ?= plugin/graph plugin/verdict plugin/profile plugin/check plugin/remedy \
	probe/wire probe/host probe/filter
RUN       ?=

# A tag if this is exactly one, else dev. The image and its default name in the
# plugin carry the same version, so that they always fit each other.
VERSION ?= $(or $(shell git describe --tags --exact-match --dirty=-dirty 2>/dev/null | grep -v dirty),dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
# Of the commit, so that a release is the same whenever it is built.
DATE    ?= $(or $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null),1970-01-01T00:00:00Z)
RELEASE  = dist/release

# The plugin as kubectl calls it. Under another name it is built from the same
# sources, with the name replaced in what a user sees (hack/rename).
PLUGIN_NAME ?= wg
PLUGIN_FILE  = $(subst -,_,$(PLUGIN_NAME))
LDFLAGS  = -s -w -X github.com/kubectl-wg/kubectl-wg/plugin/command.version=$(VERSION) -X main.version=$(VERSION)

MODULES   = . hack/image hack/lab
CACHE    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubectl-wg-lab
GOLANGCI  = $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
GOLANGCI_VERSION = v2.15.0

ACTIONLINT = bin/actionlint-$(ACTIONLINT_VERSION)/actionlint
ACTIONLINT_VERSION = v1.7.12

KREW      = bin/krew-$(KREW_VERSION)
KREW_VERSION = v0.4.3

GREMLINS  = bin/gremlins-$(GREMLINS_VERSION)/gremlins
GREMLINS_VERSION = v0.6.0

# The lab's scenarios that share a quick start on the machine's own kernel.
QUICK    = healthy-wireguard stale-flannel-route udp-blocked deaf-capture sigint-collecting vxlan
# Those that the kernel's WireGuard could answer in another way.
KERNEL   = healthy switched three underlay unencrypted clock tee leak-young middlebox \
	stale-flannel-route stale-route-one-way route-missing rule-bypass \
	stale-key missing-peer shared-key published-key allowed-gap allowed-part endpoint-address endpoint-roams psk-one-side \
	device-deleted device-down port-taken udp-blocked udp-blocked-output network-one-way \
	link-mtu network-mtu deaf-capture \
	path-port path-mark path-hop obfuscated-udp xdp kernel \
	healthy-dual healthy-dual-auto healthy-dual-ipv6 ipv6-mode-ports v6-udp-blocked v6-stale-route-one-way
LAB_RUN  = bin/lab run --verify bin/kubectl-wg --load-image dist/wg-probe.tar
# Labs that earlier runs left, by the names that they have here.
SWEEP    = bin/lab status | grep -oE '^($(1))-[^ ]+' | xargs -r -n 1 bin/lab down --name
# The race detector needs a C compiler. The product itself is built without. Live tests start the test's own program
# hundreds of times, and with the detector each would sleep a second at its end.
RACE     = $(if $(shell command -v gcc),CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race -timeout 30m,go test)

# Of the judge's tests those in which it works in parallel. All the others judge thousands of changed recordings, one
# after the other, which the race detector makes five times as long for nothing.
PARALLEL = ^Test(Recordings|ManyPairsAreJudgedLikeFew|TilesAreJudgedLikePairs|Sums)$$

# An observer that shares no code with the product.
TCPDUMP  = command -v tcpdump >/dev/null || apt-get install -y --no-install-recommends tcpdump

GO_BUILD = CGO_ENABLED=0 GOWORK=off go build -trimpath

.DEFAULT_GOAL = help
.PHONY: help build image imagetool krew workflows modules demo test test-lab test-vm test-calico test-services test-cilium test-repeat test-pairs test-bystander test-docs test-html bench bench-capture bench-scale bench-judge mutants screens lint generate graph release clean lab testcount

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: lab ## Build everything into bin/
	$(GO_BUILD) -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...
	@sed 's/kubectl wg/kubectl $(PLUGIN_NAME)/' hack/kubectl_complete-wg > bin/kubectl_complete-$(PLUGIN_FILE)
	@chmod +x bin/kubectl_complete-$(PLUGIN_FILE)
	@[ $(PLUGIN_NAME) = wg ] || $(GO_BUILD) -ldflags "$(LDFLAGS)" -o bin/kubectl-$(PLUGIN_FILE) \
	  -overlay $$(go run ./hack/rename/overlay $(PLUGIN_NAME) bin/.renamed) ./cmd/kubectl-wg

lab:
	cd hack/lab && $(GO_BUILD) -ldflags "-s -w" -o ../../bin/lab .

image: imagetool ## Build the probe's image into dist/wg-probe.tar, for this machine
	bin/image --tag $(VERSION) --output dist/wg-probe.tar

imagetool:
	@mkdir -p bin
	@cd hack/image && $(GO_BUILD) -ldflags "-s -w" -o ../../bin/image .

demo: build image ## Start a cluster, verify it, remove it (BACKEND=wireguard|vxlan|host-gw, GROUND=auto|host|vm, NODES=2)
	@hack/demo $(BACKEND) $(GROUND) $(NODES)

test: testcount ## Run all tests that a machine without virtualisation can run in minutes, and count them
	@bin/testcount -timeout 43m \
	  "check: $(MAKE) --no-print-directory build image" \
	  "check: bin/lab build" \
	  "check: $(call SWEEP,test)" \
	  $(foreach module,$(MODULES),"check: cd $(module) && go vet ./...") \
	  "tests: $(RACE) -json $(filter-out %/plugin/check,$(shell go list ./cmd/... ./manifests/... ./plugin/... ./probe/...))" \
	  "tests: go test -json ./hack/..." \
	  "tests: $(RACE) -json -run '$(PARALLEL)' ./plugin/check" \
	  "tests: go test -json -skip '$(PARALLEL)' ./plugin/check" \
	  "tests: cd hack/image && go test -json ./..." \
	  "tests: cd hack/lab && go test -json ./..." \
	  "tests: $(LAB_RUN) --name test --ground host $(QUICK)"

test-lab: build image testcount ## Run all of the lab's scenarios on this machine's kernel
	@$(TCPDUMP)
	@bin/testcount "tests: $(LAB_RUN) --name lab --ground host all eight"

test-vm: build image testcount ## Run those that need it in a virtual machine, with the kernel's WireGuard
	@$(TCPDUMP)
	@bin/testcount "tests: $(LAB_RUN) --name vm --ground vm --timeout 10m $(KERNEL) -- --timeout 5m"

test-calico: build image testcount ## Run real Calico: Felix and its CNI plugin, with the kernel's WireGuard
	@bin/testcount "tests: $(LAB_RUN) --name calico --timeout 10m calico -- --timeout 5m"

test-services: build image testcount ## Run kube-proxy and a network policy controller beside Flannel; the first time they are built, 6 min
	@bin/testcount "tests: $(LAB_RUN) --name k3s --ground host services"

test-cilium: build image testcount ## Run real agents of Cilium with WireGuard; the first time they are built, 15 min
	@bin/testcount "tests: $(LAB_RUN) --name cilium --ground host --timeout 5m cilium"

test-repeat: build image testcount ## Run the healthy scenarios again and again, and with 1 % of loss and duplication (REPEAT=20)
	@bin/testcount \
	  "tests: $(LAB_RUN) --name repeat --ground host --repeat $(REPEAT) healthy traffic healthy-three healthy-vpn healthy-dual" \
	  "tests: $(LAB_RUN) --name repeat --ground host --repeat $(REPEAT) --tolerate 1 repeat"

test-pairs: build image testcount ## Run pairs of sabotages at once: both causes must be named (PAIRS=30, SEED=1)
	@bin/testcount "tests: $(LAB_RUN) --name pairs --ground host --pairs $(PAIRS) --seed $(SEED)"

test-bystander: build image testcount ## Watch other pods at full load inside the tunnel, then one clear frame among them (MINUTES=30)
	@$(TCPDUMP)
	@bin/testcount \
	  "tests: $(LAB_RUN) --name bystander --ground host --for $(MINUTES)m bystander-load" \
	  "tests: $(LAB_RUN) --name bystander --ground host bystander-one-frame"

bench: build image ## Measure `kubectl wg verify` against the bare start of its pods and the manual procedure (GROUND, NODES)
	@command -v wg >/dev/null || apt-get install -y --no-install-recommends wireguard-tools
	@trap 'bin/lab down --name bench-wireguard' EXIT; trap exit INT TERM; \
	bin/lab up --name bench-wireguard --ground $(GROUND) --nodes $(NODES) && bin/lab load-image --name bench-wireguard dist/wg-probe.tar && \
	bin/lab measure --name bench-wireguard --verify bin/kubectl-wg --manual

bench-capture: ## Measure the probe's capture against tcpdump, and a tunnel's throughput with and without it
	@$(TCPDUMP)
	@$(GO_BUILD) -o bin/capturebench ./hack/capturebench
	@bin/capturebench

bench-scale: build ## Measure verify or status with simulated nodes behind a real API server (SCALE=100,300,1000, SCALED=verify)
	@trap 'bin/lab down --name bench-scale' EXIT; trap exit INT TERM; \
	bin/lab scale --name bench-scale --nodes $(SCALE) --verify bin/kubectl-wg --command $(SCALED)

bench-judge: ## Measure the judge alone on generated runs (JUDGED=100,300,1000; 5000 takes minutes and 5 GB)
	go test ./plugin/check -run XXX -bench Judge -benchtime 3x -timeout 1h -nodes $(JUDGED)

test-docs: build image ## Run the commands of README and docs in a lab, as a reader would
	@$(GO_BUILD) -o bin/documents ./hack/documents
	@trap 'bin/lab down --name docs-wireguard' EXIT; trap exit INT TERM; \
	bin/lab up --name docs-wireguard --ground host && bin/lab load-image --name docs-wireguard dist/wg-probe.tar && \
	KUBECONFIG=$$(bin/lab kubeconfig --name docs-wireguard) bin/documents README.md docs/*.md

test-html: ## Open pages of -o html in headless Chromium: policy, network, axe, keyboard, width (needs node and npm)
	@rm -rf bin/pages && mkdir -p bin/pages
	@$(GO_BUILD) -o bin/pagecases ./hack/browser && bin/pagecases -output bin/pages
	@cp hack/browser/package.json hack/browser/check.mjs bin/pages/ && cd bin/pages && npm install --no-audit --no-fund --silent
	@node bin/pages/check.mjs bin/pages bin/pages/screenshots

mutants: $(GREMLINS) ## Change operators one by one and see that tests notice; hours for all (PACKAGES="probe/wire …", RUN=REGEXP)
	@$(GO_BUILD) -o bin/mutants ./hack/mutants
	@nice -n 19 bin/mutants -gremlins $(GREMLINS) -run '$(RUN)' $(PACKAGES)

$(GREMLINS):
	GOBIN=$(CURDIR)/$(@D) CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" github.com/go-gremlins/gremlins/cmd/gremlins@$(GREMLINS_VERSION)

testcount:
	@$(GO_BUILD) -o bin/testcount ./hack/testcount

lint: $(GOLANGCI) ## Check formatting, go vet and golangci-lint in every module
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	@for module in $(MODULES); do \
	  echo "$$module"; (cd $$module && go vet ./... && $(GOLANGCI) run --config $(CURDIR)/.golangci.yml ./...) || failed=1; \
	done; [ -z "$$failed" ]

$(GOLANGCI):
	GOBIN=$(@D) CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

generate: ## Write again what is generated; tests say if it is out of date
	for module in $(MODULES); do (cd $$module && go generate ./...) || exit 1; done

screens: ## Write docs/screens again: what eight cases look like on a terminal; a test says if they are out of date
	@$(GO_BUILD) -o bin/kubectl-wg-dev ./cmd/kubectl-wg
	@go run ./hack/screens -binary bin/kubectl-wg-dev

graph: ## Print which package imports which
	@go run ./hack/architecture/graph

modules: ## Download the modules and tools that a release needs, so that it can be built without a network
	for module in . hack/image; do (cd $$module && go mod download) || exit 1; done

# Without a network by construction: what is not in the module cache fails.
release: export GOPROXY = off
release: imagetool ## Build a release into dist/release/: archives, images, SBOMs, krew's manifest, checksums (VERSION=v1.2.3, PLUGIN_NAME=wg)
	@rm -rf $(RELEASE)
	go run ./hack/release -plugin $(PLUGIN_NAME) -version $(VERSION) -commit '$(COMMIT)' -date $(DATE) -platforms "$(DESKTOPS)" -output $(RELEASE)
	@for program in wg-probe kubectl-wg; do \
	  bin/image --program $$program --tag $(VERSION) --commit '$(COMMIT)' --date $(DATE) --layout --platform $(PLATFORMS) \
	    --output $(RELEASE)/$${program}_$(VERSION)_image.tar || exit 1; \
	done
	@$(SBOM) -name wg-probe $(RELEASE)/wg-probe_*_image.tar > $(RELEASE)/wg-probe_$(VERSION).spdx.json
	@$(SBOM) -name kubectl-$(PLUGIN_FILE) $$(cd $(RELEASE) && LC_ALL=C ls | grep -E '^kubectl-.*(gz|zip|tar)$$' | sed 's|^|$(RELEASE)/|') \
	  > $(RELEASE)/kubectl-$(PLUGIN_FILE)_$(VERSION).spdx.json
	@cd $(RELEASE) && sha256sum $$(LC_ALL=C ls | grep -E '(gz|zip|tar|json)$$') > sha256sums.txt && cat sha256sums.txt

SBOM = go run ./hack/sbom -version $(VERSION) -created $(DATE)

krew: $(KREW)/krew ## Check krew's manifest with krew's own program and install each archive of `make release` with krew
	hack/krew $(KREW) $(RELEASE) $(PLUGIN_NAME)

$(KREW)/krew:
	GOBIN=$(CURDIR)/$(KREW) CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" \
	  sigs.k8s.io/krew/cmd/krew@$(KREW_VERSION) sigs.k8s.io/krew/cmd/validate-krew-manifest@$(KREW_VERSION)

workflows: $(ACTIONLINT) ## Check .github/workflows with actionlint at a pinned version
	$(ACTIONLINT) -color=false

$(ACTIONLINT):
	GOBIN=$(CURDIR)/$(@D) CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

clean: ## Remove bin/, dist/ and the labs that `make` started; the cache of built components stays
	if [ -x bin/lab ]; then $(call SWEEP,demo|test|lab|vm|calico|cilium|bench|repeat|pairs|bystander|docs); fi
	rm -rf bin dist
