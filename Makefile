# Two commands do everything on a Debian or Ubuntu machine that has Swift and apt:
#   make demo    makes a dataset, trains, resumes, exports and edits (under five minutes after the build)
#   make test    builds, checks the format and the documentation, runs every test
SWIFT ?= swift
CONFIGURATION ?= release
BUILD = $(SWIFT) build -c $(CONFIGURATION)
DIPTYCH = .build/$(CONFIGURATION)/diptych
# Where `make install` puts the program, its manual and its completions; DESTDIR stands before it when a package is made.
PREFIX ?= /usr/local
DESTDIR ?=
SOURCES = Package.swift Sources Tests Benchmarks Fuzz Examples/Package.swift Examples/Sources

# A virtual environment beside the sources, with packages of Python.
define environment
	@Scripts/install-dependencies.sh python3-venv
	test -x .venv/bin/pip || python3 -m venv .venv
	.venv/bin/pip install -q $(1)
endef

.PHONY: demo test examples docs build install uninstall lint format fuzz bench bench-peer bench-kernels bench-loader dependencies clean

build: dependencies
	$(BUILD) --product diptych

demo: build
	Scripts/demo.sh $(DIPTYCH)

# Swift's own libraries stay where they are: the program finds them there.
install: build
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" Scripts/install.sh $(DIPTYCH)

uninstall:
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" Scripts/install.sh --uninstall

test: dependencies lint
	$(BUILD) --build-tests
	$(SWIFT) test -c $(CONFIGURATION) --skip-build
	$(MAKE) examples

# The programs of Examples, a package of its own: built beside the project, so that the libraries are compiled once, and run.
examples: dependencies
	$(BUILD) --package-path Examples --scratch-path .build
	Scripts/check_examples.sh .build/$(CONFIGURATION)

# The pages of the libraries: .build/pages holds a site. The plugin is a dependency of this target alone.
PAGES = .build/pages
GUIDES = DiptychCoreGuide DiptychGuide
docs: dependencies
	DIPTYCH_DOCS=1 $(SWIFT) package --allow-writing-to-directory $(PAGES) generate-documentation \
		--enable-experimental-combined-documentation --output-path $(PAGES) $(GUIDES:%=--target %)

lint:
	$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)

format:
	$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

# Wrong inputs for every parser of files from outside: so many each, in a process of their own; inputs that break one are
# kept in fuzz-crashes.
FUZZ_COUNT ?= 40000
FUZZ_SEED ?= 1
fuzz: dependencies
	$(BUILD) --product diptych-fuzz
	nice -n 19 .build/$(CONFIGURATION)/diptych-fuzz --count $(FUZZ_COUNT) --seed $(FUZZ_SEED)

# Products by shape and steps by phase: time, rate, share of the rate probed in the same run, peak memory.
bench: dependencies
	$(BUILD) --product diptych-bench
	.build/$(CONFIGURATION)/diptych-bench products
	for steps in none peft moe full; do \
		.build/$(CONFIGURATION)/diptych-bench step --config nano --lora $$steps --profile || exit 1; \
	done

# Against PyTorch, diffusers and PEFT in a virtual environment of its own, on the same cores, in turns (about forty minutes).
bench-peer: dependencies
	$(BUILD) --product diptych-bench
	$(call environment,torch diffusers transformers peft accelerate)
	.venv/bin/python Benchmarks/bench_peer.py --bench .build/$(CONFIGURATION)/diptych-bench

# Single matrix products and convolutions against PyTorch's (oneDNN), in turns, and ours against the oneDNN that is linked.
bench-kernels: dependencies
	$(BUILD) --product diptych-bench
	$(call environment,torch)
	.venv/bin/python Benchmarks/peer_products.py --bench .build/$(CONFIGURATION)/diptych-bench

# Reading and packing pairs against a torch DataLoader with Pillow on the same files, in turns.
bench-loader: dependencies
	$(BUILD) --product diptych
	$(BUILD) --product diptych-bench
	$(call environment,torch pillow h5py numpy)
	.venv/bin/python Benchmarks/peer_loader.py --diptych $(DIPTYCH) --bench .build/$(CONFIGURATION)/diptych-bench

dependencies:
	@Scripts/install-dependencies.sh

clean:
	rm -rf .build Demo
