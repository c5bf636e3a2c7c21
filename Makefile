# SPDX-License-Identifier: Apache-2.0
# Thin front of meson and ninja: every target works on a fresh Debian 12, a second time, and offline.
B := build
JOBS ?= $(shell nproc)
MESON_RELEASE := --buildtype=release -Doptimization=2 -Db_ndebug=false
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := all
.PHONY: all run test test-vm lint check-asan check-full fuzz bench install clean deps deps-test deps-bench format

all: $(B)/teu $(B)/teu-oci

deps:
	@tools/deps build
deps-test: deps
	@tools/deps test
deps-bench: deps-test
	@tools/deps bench

# One meson folder per flavour; each is set up once and then kept by ninja itself.
$(B)/gcc/build.ninja: | deps
	@mkdir -p $(B); CC=gcc meson setup $(B)/gcc $(MESON_RELEASE) >$(B)/gcc.log 2>&1 || { cat $(B)/gcc.log; exit 1; }
$(B)/musl/build.ninja: | deps
	@mkdir -p $(B); CC=$(CURDIR)/tools/musl-cc meson setup $(B)/musl -Dlibc=musl --buildtype=release -Doptimization=s -Db_ndebug=false >$(B)/musl.log 2>&1 || { cat $(B)/musl.log; exit 1; }
$(B)/clang/build.ninja: | deps
	@CC=clang meson setup $(B)/clang --buildtype=debug >/dev/null
$(B)/asan/build.ninja: | deps
	@CC=clang meson setup $(B)/asan --buildtype=debug -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
$(B)/tsan/build.ninja: | deps
	@CC=gcc meson setup $(B)/tsan --buildtype=debug -Db_sanitize=thread -Db_lundef=false >/dev/null
$(B)/fault/build.ninja: | deps
	@CC=$(CURDIR)/tools/musl-cc meson setup $(B)/fault -Dlibc=musl -Dfault=true --buildtype=release -Doptimization=s -Db_ndebug=false >/dev/null
$(B)/fault-gcc/build.ninja: | deps
	@CC=gcc meson setup $(B)/fault-gcc -Dfault=true --buildtype=debugoptimized >/dev/null
$(B)/fuzz/build.ninja: | deps
	@CC=clang meson setup $(B)/fuzz -Dfuzz=true --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false >/dev/null

.PHONY: $(B)/teu $(B)/teu-oci
$(B)/teu: $(B)/gcc/build.ninja
	@ninja -C $(B)/gcc -j$(JOBS) src/teu | tools/quiet-ninja
	@cmp -s $(B)/gcc/src/teu $@ || { cp $(B)/gcc/src/teu $@.new && mv $@.new $@; }
$(B)/teu-oci: $(B)/musl/build.ninja
	@ninja -C $(B)/musl -j$(JOBS) src/teu-oci | tools/quiet-ninja
	@# Copied once more: what strip writes in small pieces lies in small pages of the cache, and each start pays for it.
	@cmp -s $(B)/musl/src/teu-oci $@ || { strip -o $@.strip $(B)/musl/src/teu-oci && cp $@.strip $@.new && rm $@.strip && mv $@.new $@; }

run: all
	@tools/deps run
	@tools/demo

test: all deps-test
	@tools/run-tests

test-vm: all deps-test
	@tools/deps vm
	@tools/run-tests --only vm

lint: deps all
	@tools/lint

check-asan: deps-test $(B)/asan/build.ninja
	@tools/run-tests --only unit-asan

check-full: all deps-test deps-bench
	@tools/run-tests --full
	@tools/lint --deep

fuzz: deps-test $(B)/fuzz/build.ninja
	@tools/fuzz $(or $(SECONDS_EACH),30)

bench: all deps-bench
	@tools/bench

format:
	@clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]')

PREFIX ?= /usr/local
install: all
	install -D -m 0755 $(B)/teu $(DESTDIR)$(PREFIX)/bin/teu
	install -D -m 0755 $(B)/teu-oci $(DESTDIR)$(PREFIX)/bin/teu-oci
	$(B)/teu man --dir $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/teu completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/teu

clean:
	rm -rf $(B)
