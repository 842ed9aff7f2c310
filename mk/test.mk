# Test programs, found by wildcard, and `make test`. Each file is a process of its own; tests run
# from the root of the repository.
#
#   tests/unit/FOLDER_x_test.c  that folder and those below it  -> BUILD/unit
#   tests/fuzz/FOLDER_x_fuzz.c  the same, and a main that runs its corpus once  -> BUILD/fuzz
#   tests/scenario/x_test.c     everything and the simulator's world  -> BUILD/scenario
#   tests/host/x_test.c         everything, on real sockets and threads  -> BUILD/host
#   tests/api/x.c, x.cpp        public headers alone, with either library  -> BUILD/api
#   tests/sim/*.c               the simulator; run.c is its main  -> BUILD/sim/sim
#   tests/*/x_test.sh           a script, run as it is
#   tests/api/ffi_test.py       the shared library from another language, where there is Python 3.9

CMOCKA_CFLAGS := $(shell $(PKG_CONFIG) --cflags cmocka 2>/dev/null)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

test_programs = $(patsubst tests/%.c,$(BUILD)/%,$(sort $(wildcard tests/$1/*_test.c)))
UNIT_TESTS := $(call test_programs,unit)
SCENARIO_TESTS := $(call test_programs,scenario)
HOST_TESTS := $(call test_programs,host)
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%_replay)
API_SOURCES := $(sort $(wildcard tests/api/*.c tests/api/*.cpp))
API_NAMES := $(basename $(notdir $(API_SOURCES)))
API_TESTS := $(API_NAMES:%=$(BUILD)/api/%_static) $(API_NAMES:%=$(BUILD)/api/%_shared)
SIM_SOURCES := $(sort $(wildcard tests/sim/*.c))
SIM_WORLD := $(filter-out tests/sim/run.c,$(SIM_SOURCES))
SIM := $(if $(SIM_SOURCES),$(BUILD)/sim/sim)
API_SCRIPTS := $(sort $(wildcard tests/api/*_test.sh))
SIM_SCRIPTS := $(sort $(wildcard tests/sim/*_test.sh))
HOST_SCRIPTS := $(sort $(wildcard tests/host/*_test.sh))
CLIENT_SCRIPTS := $(sort $(wildcard tests/clients/*_test.sh))

TEST_PROGRAMS := $(UNIT_TESTS) $(FUZZ_REPLAYS) $(API_TESTS) $(SCENARIO_TESTS) $(HOST_TESTS) $(SIM)

.PHONY: test unit test-programs run-tests run-unit sim

$(BUILD)/obj/tests/%.o: tests/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(PROGRAM_CFLAGS) $(CMOCKA_CFLAGS) -c $< -o $@
$(BUILD)/obj/tests/api/%.o: tests/api/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(PUBLIC_CFLAGS) $(CMOCKA_CFLAGS) -c $< -o $@
$(BUILD)/obj/tests/api/%.o: tests/api/%.cpp $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(PUBLIC_CXXFLAGS) $(CMOCKA_CFLAGS) -c $< -o $@

# tests/unit/wire_codec_test.c is a test of lib/wire; a name that begins with no folder gets all.
test_folders = $(or $(below_$(firstword $(subst _,$(space),$(notdir $1)))),$(FOLDERS))
define unit_test
$1: $(call objects,$(1:$(BUILD)/%=tests/%.c)) $(call archives,$(call test_folders,$1))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$(filter %.o,$$^) $$(call grouped,$$(filter %.a,$$^)) $$(PKG_LIBS) $$(CMOCKA_LIBS)
endef
$(foreach program,$(UNIT_TESTS),$(eval $(call unit_test,$(program))))

define fuzz_replay
$(BUILD)/fuzz/$1_replay: $(call objects,tests/fuzz/$1.c tests/fuzz/regression_main.c) \
    $(call archives,$(call test_folders,$1))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$(filter %.o,$$^) $$(call grouped,$$(filter %.a,$$^)) $$(PKG_LIBS)
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_replay,$(target))))

$(SCENARIO_TESTS): $(BUILD)/scenario/%: $(BUILD)/obj/tests/scenario/%.o \
    $(call objects,$(SIM_WORLD)) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) $(CMOCKA_LIBS)
$(HOST_TESTS): $(BUILD)/host/%: $(BUILD)/obj/tests/host/%.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) $(CMOCKA_LIBS)
$(BUILD)/sim/sim: $(call objects,$(SIM_SOURCES)) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

$(BUILD)/api/%_static: $(BUILD)/obj/tests/api/%.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINKXX) -o $@ $^ $(PKG_LIBS) $(CMOCKA_LIBS)
$(BUILD)/api/%_shared: $(BUILD)/obj/tests/api/%.o $(SHARED) $(SHARED_LINKS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINKXX) -o $@ $< -L$(BUILD) -lsluice '-Wl,-rpath,$$ORIGIN/..' $(CMOCKA_LIBS)

test-programs: $(TEST_PROGRAMS) $(TOOLS) $(EXAMPLES)

# A program that does not build is a failure, not the end of the other tests: so `-k`. The second
# make finds packages that `deps` has just installed.
test: deps ## everything that can be told in five minutes: unit to other people's clients
	@$(MAKE) --no-print-directory run-tests
unit: deps ## the unit tests alone, under a minute
	@$(MAKE) --no-print-directory run-unit

SEEDS ?= 200
SEED ?= 1
SMOKE_SEEDS ?= 40
UNIT_RUN = --group unit --timeout 60 $(UNIT_TESTS)
FUZZ_RUN = --group corpus --timeout 60 \
    $(foreach target,$(FUZZ_TARGETS), \
    '$(strip $(BUILD)/fuzz/$(target)_replay $(wildcard tests/fuzz/corpus/$(target)))')
API_RUN = --group api --timeout 60 $(API_TESTS)
API_SCRIPTS_RUN = --group api --timeout 120 $(API_SCRIPTS)
PYTHON := $(shell python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo python3)
FFI_RUN = $(if $(PYTHON),--group api --timeout 60 '$(PYTHON) tests/api/ffi_test.py $(SHARED)')
EXAMPLES_RUN = --group examples --timeout 90 $(BUILD)/examples/orders
SCENARIO_RUN = --group scenario --timeout 60 $(SCENARIO_TESTS)
HOST_RUN = --group host --timeout 60 $(HOST_TESTS) $(HOST_SCRIPTS)
CLIENTS_RUN = --group clients --timeout 120 $(CLIENT_SCRIPTS)
SMOKE_RUN = --group sim --timeout 120 $(if $(SIM),'$(SIM) --seed 1 --seeds $(SMOKE_SEEDS)')
SIM_SCRIPTS_RUN = --group sim --timeout 240 $(SIM_SCRIPTS)

# $(call build_and_run,targets,arguments of run.sh)
define build_and_run
@$(SUBMAKE) -k $1 || broken='--broken build'; \
BUILD=$(BUILD) sh tests/run.sh $$broken $2
endef
run-unit:
	$(call build_and_run,$(UNIT_TESTS),$(UNIT_RUN))
run-tests:
	$(if $(PYTHON),,@echo 'tests/api/ffi_test.py is skipped: there is no Python 3.9')
	$(call build_and_run,test-programs,$(UNIT_RUN) $(FUZZ_RUN) $(API_RUN) $(API_SCRIPTS_RUN) \
	    $(FFI_RUN) $(EXAMPLES_RUN) $(SMOKE_RUN) $(SIM_SCRIPTS_RUN) $(SCENARIO_RUN) $(HOST_RUN) $(CLIENTS_RUN))

sim: $(BUILD)/sim/sim ## run the simulator: SEEDS=2000 of them from SEED=1 on
	$(BUILD)/sim/sim --seed $(SEED) --seeds $(SEEDS)
