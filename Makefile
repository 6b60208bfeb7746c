# ticketd: GNU make, everything is built below $(BUILD). `make help` lists the targets.

VERSION := 0.1.0
BUILD ?= build
BIN := $(BUILD)/bin
LIB := $(BUILD)/lib
PREFIX ?= /usr/local
DESTDIR ?=
CC := gcc
OPTIMIZE ?= -O3
SANITIZE ?=

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all
GOALS := $(or $(MAKECMDGOALS),all)
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
# `make V=1` shows whole commands.
ifeq ($(V),)
say = @printf '  %-5s %s\n' $(1) $(2);
endif

# ---- Dependencies: $(BUILD)/packages-*.mk is made by installing what is missing and asking pkg-config. ----

ifneq ($(filter-out help clean format,$(GOALS)),)
include $(BUILD)/packages-build.mk
ifneq ($(filter test test-% mutations valgrind $(BUILD)/test/%,$(GOALS)),)
include $(BUILD)/packages-test.mk
endif
ifneq ($(filter test test-build fuzz msan valgrind bench-regress $(BUILD)/fuzz/% $(BUILD)/msan/%,$(GOALS)),)
include $(BUILD)/packages-fuzz.mk
endif
ifneq ($(filter bench-compare $(BIN)/peer-%,$(GOALS)),)
include $(BUILD)/packages-peers.mk
endif
endif

# One after the other: apt-get can only run once at a time.
$(BUILD)/packages-test.mk: $(BUILD)/packages-build.mk
$(BUILD)/packages-fuzz.mk: $(BUILD)/packages-test.mk
$(BUILD)/packages-peers.mk: $(BUILD)/packages-build.mk
$(BUILD)/packages-%.mk: tools/packaging/deps
	@mkdir -p $(@D)
	@tools/packaging/deps $* > $@

# ---- Flags ----

WARNINGS := -Wall -Wextra -Werror -Wconversion -Wshadow
CPPFLAGS := -D_GNU_SOURCE -DTICKETD_VERSION='"$(VERSION)"' -I. -Iengine -Iinclude -Itools -Itests
# popcnt and its kin; every 64-bit x86 server since 2009 has them.
MACHINE := $(if $(filter x86_64,$(shell uname -m)),-march=x86-64-v2)
CFLAGS := -std=c17 $(WARNINGS) $(MACHINE) $(OPTIMIZE) -g -fno-strict-aliasing -pthread $(SANITIZE)
LDFLAGS := -pthread -Wl,--as-needed $(SANITIZE)
COMPILE = $(call say,cc,$<) $(CC) $(CPPFLAGS) $(PACKAGES_CFLAGS) $(CFLAGS) $(if $(filter engine/%,$<),$(ENGINE_CFLAGS)) \
    -MMD -MP -c -o $@ $<
LINK = $(call say,link,$@) $(CC) $(LDFLAGS) -o $@

# ---- Sources ----

comma := ,
sources = $(sort $(wildcard $(1)))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

ENGINE := $(call sources,engine/*/*.c)
LIBRARY := $(call sources,tools/libticketd/*.c) $(addprefix engine/,core/schema.c core/frame.c base/assert.c)
CTL := $(call sources,tools/ticketctl/*.c)
CTL_MAIN := tools/ticketctl/main.c
BENCH_MAINS := $(call sources,bench/ticketbench.c bench/demo.c)
BENCH := $(filter-out $(BENCH_MAINS),$(call sources,bench/*.c))
PROTOCOL := $(call sources,tools/protocol/*.c)
SUPPORT := $(call sources,tests/support/*.c tests/naive/*.c)
TESTS := $(call sources,tests/*/test_*.c)
TEST_BINARIES := $(patsubst tests/%.c,$(BUILD)/test/%,$(TESTS))

SONAME := libticketd.so.1
PROGRAMS := $(BIN)/ticketd $(BIN)/ticketctl $(BIN)/ticketfloor $(patsubst bench/%.c,$(BIN)/%,$(BENCH_MAINS))

# Every target that `make help` shows.
.PHONY: always test-build $(shell sed -n 's/^\([a-z-]*\):.*##.*/\1/p' Makefile)

all: $(PROGRAMS) $(LIB)/libticketd.a $(LIB)/$(SONAME) ## the server, the tools, the library (build/bin, build/lib)

# ---- Objects, archives, programs ----

$(BUILD)/obj/%.o: %.c $(BUILD)/packages-build.mk
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/pic/%.o: %.c $(BUILD)/packages-build.mk
	@mkdir -p $(@D)
	$(COMPILE) -fPIC

$(BUILD)/test/%.o: tests/%.c $(BUILD)/packages-build.mk $(BUILD)/packages-test.mk
	@mkdir -p $(@D)
	$(COMPILE) $(TEST_CFLAGS)

# Archives are made anew, so that no object of a file that is gone stays in them.
ARCHIVE = $(call say,ar,$@) mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

$(LIB)/libengine.a: $(call objects,$(filter-out engine/edge/main.c,$(ENGINE)))
	$(ARCHIVE)
$(LIB)/libticketctl.a: $(call objects,$(filter-out $(CTL_MAIN),$(CTL)))
	$(ARCHIVE)
$(LIB)/libprotocol.a: $(call objects,$(filter-out tools/protocol/main.c,$(PROTOCOL)))
	$(ARCHIVE)
$(LIB)/libbench.a: $(call objects,$(BENCH))
	$(ARCHIVE)
$(LIB)/libsupport.a: $(call objects,$(SUPPORT))
	$(ARCHIVE)

# The client library for our own programs and tests, its inside visible.
$(LIB)/libclient.a: $(call objects,$(LIBRARY))
	$(ARCHIVE)

# A report of ticketbench tells what was measured.
COMMIT := $(shell git describe --always --dirty --exclude='*' 2> /dev/null)
$(BUILD)/commit: always
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@
$(BUILD)/obj/bench/machine.o: $(BUILD)/commit
$(BUILD)/obj/bench/machine.o: CPPFLAGS += -DTICKETD_COMMIT='"$(COMMIT)"'

# For others: one object that keeps what is not its interface to itself, like the shared library.
$(LIB)/libticketd.a: $(call objects,$(LIBRARY))
	$(call say,ar,$@) mkdir -p $(@D) && rm -f $@ && $(CC) -r -nostdlib -o $(LIB)/libticketd.o $^ && \
	objcopy --wildcard --keep-global-symbol='tkd_*' $(LIB)/libticketd.o && ar rcs $@ $(LIB)/libticketd.o

$(LIB)/$(SONAME): $(patsubst %.c,$(BUILD)/pic/%.o,$(LIBRARY)) tools/packaging/libticketd.map
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,tools/packaging/libticketd.map $(filter %.o,$^)
	@ln -sf $(SONAME) $(LIB)/libticketd.so

ARCHIVES := $(LIB)/libprotocol.a $(LIB)/libticketctl.a $(LIB)/libbench.a $(LIB)/libclient.a $(LIB)/libengine.a

$(BIN)/ticketd: $(call objects,$(filter engine/edge/main.c,$(ENGINE))) $(LIB)/libengine.a
	@mkdir -p $(@D)
	$(LINK) $^ $(ENGINE_LIBS)

$(BIN)/ticketctl: $(call objects,$(filter $(CTL_MAIN),$(CTL))) $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $^ $(TOOLS_LIBS) $(ENGINE_LIBS)

$(BIN)/%: $(BUILD)/obj/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $^ $(TOOLS_LIBS) $(ENGINE_LIBS) -lm

$(BIN)/ticketfloor: $(call objects,$(call sources,bench/floor/*.c) bench/server.c) $(LIB)/libengine.a
	@mkdir -p $(@D)
	$(LINK) $^ $(ENGINE_LIBS)

# ---- The protocol's document is made from the schema and kept in the repository ----

$(BUILD)/protocol: $(call objects,$(PROTOCOL) engine/core/frame.c engine/core/schema.c engine/base/assert.c)
	$(LINK) $^

protocol: $(BUILD)/protocol ## writes PROTOCOL.md and the golden vectors anew from the schema
	$(BUILD)/protocol tools/protocol/PROTOCOL.md.in > include/ticketd/PROTOCOL.md
	$(BUILD)/protocol --golden worked > tests/golden/worked.txt
	$(BUILD)/protocol --golden members > tests/golden/members.txt

# ---- Tests ----

$(BUILD)/test/%: $(BUILD)/test/%.o $(LIB)/libsupport.a $(ARCHIVES)
	$(LINK) $^ $(TOOLS_LIBS) $(ENGINE_LIBS) $(TEST_LIBS)

# The models run against a core whose bounds are small, so that each is reached all the time.
MINIMAL := $(call sources,engine/core/*.c) $(call sources,tests/naive/*.c) $(addprefix tests/support/,rig.c workload.c) \
    engine/base/assert.c

$(BUILD)/min/%.o: %.c $(BUILD)/packages-build.mk
	@mkdir -p $(@D)
	$(COMPILE) -DTEST_MIN

$(LIB)/libminimal.a: $(patsubst %.c,$(BUILD)/min/%.o,$(MINIMAL))
	$(ARCHIVE)

$(BUILD)/test/model/%.o: TEST_CFLAGS += -DTEST_MIN
$(BUILD)/test/model/%: $(BUILD)/test/model/%.o $(LIB)/libminimal.a
	$(LINK) $^ $(TEST_LIBS)

# The simulator: the engine with small limits and marks, on a kernel, a disk and a store that one seed decides.
SIM := $(BIN)/ticketsim
SIM_STORE := $(call sources,engine/port/store_lmdb.c engine/port/lmdb_rows.c \
    engine/port/lmdb_events.c engine/port/lmdb_pages.c engine/port/event_pack.c)
SIM_SOURCES := $(filter-out engine/port/% engine/edge/main.c engine/base/log.c,$(ENGINE)) $(SIM_STORE) \
    $(call sources,tests/sim/*.c tests/naive/*.c)
SIM_WRAPPED := malloc calloc realloc free strdup posix_memalign state_apply state_query mdb_env_open \
    open close pread pwrite write writev lseek fdatasync fsync fcntl fstatfs fstatvfs __fxstat mmap munmap

$(BUILD)/sim/%.o: %.c $(BUILD)/packages-build.mk
	@mkdir -p $(@D)
	$(COMPILE) -DTEST_MIN -DMARKS

$(SIM): $(patsubst %.c,$(BUILD)/sim/%.o,$(SIM_SOURCES))
	@mkdir -p $(@D)
	$(LINK) $(addprefix -Wl$(comma)--wrap=,$(SIM_WRAPPED)) $^ -l:liblmdb.a

sim: $(SIM) ## one simulated life of the server, repeatable: SEED=n; V=1 tells it
	@$(if $(V),VERBOSE=1) $(SIM) $(or $(SEED),1)

sim-swarm: $(SIM) ## fresh seeds until the time is over: SECONDS=n
	@$(SIM) --swarm $(or $(SECONDS),60)

sim-exhaustive: $(SIM) ## every point of short lives: each step, call and allocation; POINT=one of them
	@$(SIM) --exhaustive $(or $(POINT),all)

# Real kills of the real server, by a program that keeps its own record.
CRASH := $(BIN)/ticketcrash

$(CRASH): $(call objects,$(filter-out tests/crash/test_%,$(call sources,tests/crash/*.c))) $(LIB)/libclient.a
	@mkdir -p $(@D)
	$(LINK) $^ $(ENGINE_LIBS)

crash: all $(CRASH) ## kills the server under load and compares what is left: ROUNDS=n SEED=s
	@$(CRASH) $(or $(ROUNDS),100) $(or $(SEED),1)

# Fuzzers: every target of tests/fuzz with clang and libFuzzer, the engine with small limits. FAST=1 leaves the
# address sanitizer and the tracing of comparisons out, for many executions.
FUZZ_CC := clang-14
FUZZ_DIR := $(BUILD)/fuzz$(if $(FAST),-fast)
FUZZ_COVERAGE := $(if $(FAST),-fsanitize-coverage=inline-8bit-counters$(comma)pc-table,-fsanitize=fuzzer-no-link)
FUZZ_SANITIZE := $(if $(FAST),undefined -fsanitize-trap=undefined,address$(comma)undefined -fno-sanitize-recover=all)
FUZZ_CFLAGS = $(CPPFLAGS) -DTEST_MIN $(PACKAGES_CFLAGS) -std=c17 $(WARNINGS) $(MACHINE) -O2 -g -fno-strict-aliasing \
    -fno-omit-frame-pointer -Wno-string-conversion -fsanitize=$(FUZZ_SANITIZE)
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(FUZZ_DIR)/%,$(call sources,tests/fuzz/fuzz_*.c))
FUZZ_SOURCES := $(call sources,engine/core/*.c engine/durable/*.c) $(LIBRARY) \
    $(addprefix tests/fuzz/,desk.c disk.c front.c kernel.c) \
    $(filter-out engine/edge/main.c,$(call sources,engine/edge/*.c)) \
    $(addprefix tools/ticketctl/,args.c catalog.c ctl.c desk.c desk_read.c desk_write.c desklog.c logfile.c names.c \
    output.c plan.c plan_send.c progress.c replay.c replay_read.c replay_send.c roster.c text.c timefmt.c) \
    tests/support/rig.c $(call sources,tests/naive/*.c)

$(FUZZ_DIR)/obj/%.o: %.c tests/fuzz/unmeasured $(BUILD)/packages-build.mk $(BUILD)/packages-fuzz.mk
	@mkdir -p $(@D)
	$(call say,clang,$<) $(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_COVERAGE) \
	    -fsanitize-coverage-ignorelist=tests/fuzz/unmeasured -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/lib.a: $(patsubst %.c,$(FUZZ_DIR)/obj/%.o,$(sort $(FUZZ_SOURCES)))
	$(ARCHIVE)

$(FUZZ_DIR)/%: $(FUZZ_DIR)/obj/tests/fuzz/fuzz_%.o $(FUZZ_DIR)/lib.a
	$(call say,link,$@) $(FUZZ_CC) -fsanitize=fuzzer,$(FUZZ_SANITIZE) $(FUZZ_WRAPPED) -o $@ $^ $(TOOLS_LIBS)

$(FUZZ_DIR)/client: FUZZ_WRAPPED := $(addprefix -Wl$(comma)--wrap=,socket connect close poll recv send sendmsg)
$(FUZZ_DIR)/replay: FUZZ_WRAPPED := $(addprefix -Wl$(comma)--wrap=,socket connect close poll recv send sendmsg \
    nanosleep assert_failed)

$(BUILD)/dictionary: $(call objects,tests/fuzz/dictionary.c engine/core/schema.c)
	$(LINK) $^

$(BUILD)/fuzz.dict: $(BUILD)/dictionary
	@$< > $@

fuzz: $(FUZZERS) $(BUILD)/fuzz.dict ## every fuzzer for its share of SECONDS=n; FAST=1 without the address sanitizer
	@BUILD=$(BUILD) tests/fuzz/run $(or $(SECONDS),60) $(FUZZERS)

mutations: test-build ## deliberate bugs that the tests must notice: ONLY=pattern
	@BUILD=$(BUILD) tests/mutations/run $(ONLY)

# The core by itself, with the fuzzer's programs, under MSan and under valgrind.
CORE_SOURCES := $(call sources,engine/core/*.c tests/naive/*.c) engine/base/assert.c tests/support/rig.c \
    $(addprefix tests/fuzz/,desk.c core.c fuzz_frames.c)
CORE_INPUTS = $(sort $(wildcard tests/fuzz/corpus/frames/*))

$(BUILD)/msan/core: $(CORE_SOURCES) $(BUILD)/packages-fuzz.mk
	@mkdir -p $(@D)
	$(call say,clang,$@) $(FUZZ_CC) $(filter-out -fsanitize=%,$(FUZZ_CFLAGS)) -O1 -fsanitize=memory \
	    -fsanitize-memory-track-origins -o $@ $(CORE_SOURCES)

$(BUILD)/valgrind/core: $(CORE_SOURCES) $(BUILD)/packages-fuzz.mk
	@mkdir -p $(@D)
	$(call say,cc,$@) $(CC) $(CPPFLAGS) -DTEST_MIN $(CFLAGS) -o $@ $(CORE_SOURCES)

msan: $(BUILD)/msan/core ## the core with the frames fuzzer's corpus under the memory sanitizer
	@$(BUILD)/msan/core $(CORE_INPUTS)

# A test that does something wrong ends with another code, and Criterion calls that a crash.
CORE_TESTS := $(filter $(patsubst engine/core/%.c,$(BUILD)/test/unit/test_%,$(ENGINE)),$(TEST_BINARIES))

valgrind: $(BUILD)/valgrind/core $(CORE_TESTS) ## the same under valgrind, and every unit test of the core
	@valgrind --quiet --error-exitcode=1 --max-stackframe=4000000 $(BUILD)/valgrind/core $(CORE_INPUTS)
	@for test in $(CORE_TESTS); do echo "  $$test"; \
	    valgrind --quiet --error-exitcode=1 --max-stackframe=4000000 --trace-children=yes $$test -j1 || exit 1; done

test-build: all $(TEST_BINARIES) $(BUILD)/protocol $(SIM) $(CRASH) \
    $(if $(SANITIZE),,$(FUZZERS) $(BUILD)/fuzz.dict $(BUILD)/msan/core $(BUILD)/valgrind/core $(BIN)/ticketcost)

test: test-build ## builds all and runs every test
	@BUILD=$(BUILD) ONLY='$(ONLY)' SANITIZE='$(SANITIZE)' OPTIMIZE='$(OPTIMIZE)' tests/run $(TEST_BINARIES)

asan: ## the tests with the address and undefined-behaviour sanitizers
	+$(MAKE) BUILD=$(BUILD)/asan OPTIMIZE='-O1' \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' test

cov: ## coverage of the tests; engine/core must reach 95 % of its lines, 90 % of its branches
	@find $(BUILD)/cov -name '*.gcda' -delete 2> /dev/null || true
	+@$(MAKE) BUILD=$(BUILD)/cov OPTIMIZE='-O0' SANITIZE='--coverage' ENGINE_CFLAGS='-DCOVERAGE' test; code=$$?; \
	    tests/coverage $(BUILD)/cov && exit $$code

# ---- Running ----

demo: all ## a day of 100,000 tickets through the server; LOG=FILE replays a desk log instead
	@BUILD=$(BUILD) bench/demo.sh $(if $(LOG),"$(LOG)")

bench: all ## ticketbench: throughput, latencies, costs; BENCH_OPTIONS='--workload lifecycle'
	@mkdir -p $(BUILD)/tmp
	TMPDIR=$(abspath $(BUILD))/tmp $(BIN)/ticketbench $(BENCH_OPTIONS)

$(BIN)/ticketcost: $(BUILD)/obj/bench/regress/ticketcost.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $^ $(TOOLS_LIBS) $(ENGINE_LIBS) -lm

bench-regress: $(BIN)/ticketcost ## instructions a command in the core, against the stored baseline; UPDATE=1 keeps them
	@BIN=$(abspath $(BIN)) UPDATE='$(UPDATE)' bench/regress/regress

bench-steps: $(BIN)/ticketcost ## what each step of a create costs: instructions, cache misses, ns where perf is installed
	@BIN=$(abspath $(BIN)) bench/regress/steps.py

# The floor of this machine, ticketd, Redis and PostgreSQL in turns. Only this needs the peers' packages.
PEERS := $(BIN)/peer-redis $(BIN)/peer-postgres

$(BIN)/peer-%: bench/peers/%.c bench/peers/peer.c bench/peers/peer.h $(LIB)/libengine.a $(BUILD)/packages-peers.mk
	$(call say,link,$@) $(CC) $(CPPFLAGS) $(PEERS_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(PEERS_LIBS)

bench-compare: all $(PEERS) ## the floor, ticketd, Redis, PostgreSQL in turns, and ratios: ROUNDS=3 TICKETS=n REST=s
	@mkdir -p $(BUILD)/tmp
	@exec env BIN=$(abspath $(BIN)) TMPDIR=$(abspath $(BUILD))/tmp ROUNDS='$(or $(ROUNDS),3)' \
	    TICKETS='$(or $(TICKETS),1000000)' REST='$(or $(REST),0)' bench/peers/compare.py

# ---- Installing ----

MAN_PAGES := $(call sources,$(foreach n,1 5 7 8,engine/*/*.$(n) tools/*/*.$(n) tools/*/man/*.$(n) bench/*.$(n)))

install: all ## DESTDIR, PREFIX: programs, library, headers, pkg-config file, man pages, systemd unit
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/ticketd
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/doc/ticketd
	install -m 755 $(BIN)/ticketd $(BIN)/ticketctl $(BIN)/ticketbench $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(LIB)/libticketd.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(LIB)/$(SONAME) $(DESTDIR)$(PREFIX)/lib
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libticketd.so
	install -m 644 include/ticketd/*.h $(DESTDIR)$(PREFIX)/include/ticketd
	install -m 644 include/ticketd/PROTOCOL.md README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/ticketd
	sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),' tools/packaging/libticketd.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libticketd.pc
	sed 's,@PREFIX@,$(PREFIX),' tools/packaging/ticketd.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/ticketd.service
	for page in $(MAN_PAGES); do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	$(BIN)/ticketctl --man > $(DESTDIR)$(PREFIX)/share/man/man1/ticketctl.1
	$(BIN)/ticketctl --man-list | while read -r name; do \
	    page=ticketctl-$$(echo "$$name" | tr ' ' -).1; \
	    $(BIN)/ticketctl --man "$$name" > $(DESTDIR)$(PREFIX)/share/man/man1/$$page || exit 1; \
	done

# ---- Housekeeping ----

C_FILES = $(call sources,$(foreach e,c h,engine/*/*.$(e) include/*/*.$(e) tools/*/*.$(e) bench/*.$(e) tests/*/*.$(e)))

format: ## lays the sources out with clang-format
	@command -v clang-format > /dev/null || { echo "clang-format is missing: apt-get install clang-format"; exit 1; }
	clang-format -i $(C_FILES)

lint: all ## the house rules, and clang-tidy where it is installed
	@BUILD=$(BUILD) ONLY=tests/house tests/run
	@if command -v clang-tidy > /dev/null; then \
	    clang-tidy --quiet $(ENGINE) -- -std=c17 $(CPPFLAGS) $(PACKAGES_CFLAGS); \
	else echo "clang-tidy is missing (apt-get install clang-tidy): house rules only"; fi

deps: $(BUILD)/packages-build.mk $(BUILD)/packages-test.mk ## installs what is missing (apt-get), and says so

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean: ## removes $(BUILD)
	rm -rf $(BUILD)

-include $(wildcard $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*.d $(BUILD)/pic/*/*/*.d $(BUILD)/min/*/*/*.d $(BUILD)/test/*/*.d $(BUILD)/sim/*/*/*.d)
-include $(wildcard $(FUZZ_DIR)/obj/*/*/*.d)
