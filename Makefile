# Targets for people and for CI; both call the same ones. `make help` lists them.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages whose tests also run as 32-bit and 64-bit ARM programs: all of media,
# call and storage that is our own computing. media/speech is not among them: it
# starts a native program, and an emulated process passes its pipes on to others.
ARM_PACKAGES := ./media ./media/clock ./media/codec ./media/dtmf ./media/echo ./media/rtp ./media/session ./media/tone ./media/wav ./call ./call/event ./call/number ./call/route ./call/script ./storage/...
FUZZTIME ?= 10s
export CGO_ENABLED ?= 0

.PHONY: help build cross test unit arm race lint fuzz bench bench-amd e2e demo setup
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

build: ## build bin/callbox for this machine
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/callbox ./cmd/callbox

cross: ## build static binaries for the boxes in dist/ and check their size
	GO=$(GO) LDFLAGS='$(LDFLAGS)' scripts/cross.sh

test: setup lint unit cross arm race fuzzseeds e2e ## everything that must hold, fast tests first

unit: ## the tests without peers
	@scripts/setup.sh demo
	$(GO) test ./...

arm: setup ## unit tests of the core packages as ARM programs under qemu-user
	GO=$(GO) scripts/arm-test.sh $(ARM_PACKAGES)

race: ## all unit tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

lint: ## formatting, vet, staticcheck
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not formatted:"; echo "$$bad"; exit 1; fi
	$(GO) vet -tags e2e,bench ./...
	$(GO) run $(STATICCHECK) -tags e2e,bench ./...

.PHONY: fuzzseeds
fuzzseeds: ## run every fuzz target on its checked-in seeds only
	$(GO) test -run '^Fuzz' ./...

fuzz: ## fuzz every target for FUZZTIME each
	GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

bench: setup build ## benchmarks, with rtpengine and a bare SIP stack beside us in the same run
	GO=$(GO) scripts/bench.sh

bench-amd: ## how often the answering machine detection is right, beside the classic way
	GO=$(GO) scripts/bench-amd.sh

e2e: setup build ## the real binary against SIPp, baresip and twilio-go
	$(GO) test -tags e2e -count=1 -timeout 60m ./cmd/callbox/e2e/...

demo: ## watch two calls on simulated phones
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory build
	bin/callbox demo

setup: ## install the Debian packages that the tests need, when missing
	@scripts/setup.sh test
