# A short front of CMake's presets; everything lands in build/.
#
#   make              build/skein, the release binary, and build/ydoc, the Yjs library's command
#   make run          installs what is missing, builds, and serves on this machine, with ./data
#   make test         everything: layers, unit tests, real clients, browsers, crashes, fuzzing
#   make lint         format, layers, sizes, static analysis
#   make install-ydoc the Yjs library, its header and its command alone (PREFIX, DESTDIR)
#   make bench-ydoc   the Yjs library beside yjs and ywasm
#   make fuzz-yjs     ydoc against the real Yjs on mutated updates, for FUZZ_SECONDS (an hour)
#   make fmt fuzz bench crash tsan install clean

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DATA ?= ./data
LISTEN ?= 127.0.0.1:8787
export JOBS

.PHONY: all run test lint fmt fuzz fuzz-yjs bench bench-ydoc crash tsan install install-ydoc clean deps

all:
	@command -v cmake >/dev/null && command -v ninja >/dev/null || \
		{ echo "cmake or ninja is missing: tools/deps run installs what building needs" >&2; exit 1; }
	@cmake --preset release >/dev/null
	@cmake --build build/release -j $(JOBS) --target skein ydoc
	@cmake -E copy build/release/skein build/skein.new && mv build/skein.new build/skein
	@cmake -E copy build/release/ydoc build/ydoc.new && mv build/ydoc.new build/ydoc

deps:
	@tools/deps run

run: deps
	@$(MAKE) --no-print-directory all
	@echo "open http://$(LISTEN)/ in two windows; Ctrl-C ends the server"
	@exec build/skein serve --listen $(LISTEN) --data $(DATA)

test:
	@tools/deps test
	@$(MAKE) --no-print-directory all
	@tools/test $(SUITES)

lint:
	@tools/deps test
	@tools/lint

fmt:
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

fuzz:
	@FUZZ_SECONDS=60 tools/test fuzz

fuzz-yjs:
	@tools/test fuzz-yjs

crash: all
	@CRASH_ROUNDS=100 tools/test crash

tsan: all
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan -j $(JOBS)
	@UNIT_PRESET=tsan SKEIN_BIN=$(CURDIR)/build/tsan/skein tools/test unit wire

bench: all
	@bench/run

bench-ydoc:
	@bench/ydoc/run

install: all
	install -D -m 755 build/skein $(DESTDIR)$(PREFIX)/bin/skein

# Needs a C compiler and CMake only, none of the server's libraries.
install-ydoc:
	@cmake -S . -B build/libydoc -DSKEIN_ONLY_YDOC=ON -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build build/libydoc -j $(JOBS)
	@DESTDIR=$(DESTDIR) cmake --install build/libydoc

clean:
	rm -rf build
