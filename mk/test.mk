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
#   tests/docs/blocks_test.py   every block of code in README.md and docs/, likewise
#   bindings/python/tests/x_test.py  the Python package, with the shared library, likewise
#   bindings/node/test/x.test.js  the Node package, where there are Node 18 and its koffi (make node-deps)

CMOCKA_CFLAGS := $(shell $(PKG_CONFIG) --cflags cmocka 2>/dev/null)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

test_programs = $(patsubst tests/%.c,$(BUILD)/%,$(sort $(wildcard tests/$1/*_test.c)))
UNIT_TESTS := $(call test_programs,unit)
SCENARIO_TESTS := $(call test_programs,scenario)
HOST_TESTS := $(filter-out $(if $(filter 0,$(GSSAPI)),%/gssapi_test),$(call test_programs,host))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%_replay)
API_SOURCES := $(sort $(wildcard tests/api/*.c tests/api/*.cpp))
API_NAMES := $(basename $(notdir $(API_SOURCES)))
API_TESTS := $(API_NAMES:%=$(BUILD)/api/%_static) $(API_NAMES:%=$(BUILD)/api/%_shared)
SIM_SOURCES := $(sort $(wildcard tests/sim/*.c))
SIM_WORLD := $(filter-out tests/sim/run.c,$(SIM_SOURCES))
SIM := $(if $(SIM_SOURCES),$(BUILD)/sim/sim)
INSTALL_SCRIPTS := $(sort $(wildcard tests/install/*_test.sh))
SIM_SCRIPTS := $(sort $(wildcard tests/sim/*_test.sh))
HOST_SCRIPTS := $(sort $(wildcard tests/host/*_test.sh))
CLIENT_SCRIPTS := $(sort $(wildcard tests/clients/*_test.sh))

TEST_PROGRAMS := $(UNIT_TESTS) $(FUZZ_REPLAYS) $(API_TESTS) $(SCENARIO_TESTS) $(HOST_TESTS) $(SIM)

.PHONY: test unit test-docs test-install test-plants test-node test-python wheel node-deps test-programs run-tests run-node run-unit sim

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
test-docs: libs $(TOOLS) $(EXAMPLES) ## the code of README.md and docs/ alone
	@BUILD=$(BUILD) sh tests/run.sh $(DOCS_RUN)
test-install: libs ## what is installed and packed serves programs of others
	@BUILD=$(BUILD) sh tests/run.sh --group install --timeout 120 $(INSTALL_SCRIPTS)
test-plants: ## each bug that is planted is found by the simulator
	@BUILD=$(BUILD) PKG_LIBS='$(PKG_LIBS)' sh tests/run.sh --group sim --timeout 240 $(SIM_SCRIPTS)
test-node: ## the tests of the Node package alone
	@$(MAKE) --no-print-directory run-node
node-deps: ## install what the Node package needs, with npm, below bindings/node
	@sh mk/deps.sh node
	@cd $(NODE_FOLDER) && npm ci --ignore-scripts --no-audit --no-fund
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
PYTHON := $(shell python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo python3)
FFI_RUN = $(if $(PYTHON),--group api --timeout 60 '$(PYTHON) tests/api/ffi_test.py $(SHARED)')
DOCS_RUN = $(if $(PYTHON),--group docs --timeout 120 '$(PYTHON) tests/docs/blocks_test.py $(SHARED)')
PYTHON_TESTS := $(sort $(wildcard bindings/python/tests/*_test.py))
PYTHON_RUN = $(if $(PYTHON),--group python --timeout 150 \
    $(foreach test,$(PYTHON_TESTS),'$(PYTHON) bindings/python/tests/run.py $(test) $(SHARED)'))
NODE_FOLDER := bindings/node
NODE := $(shell node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && \
    test -d $(NODE_FOLDER)/node_modules/koffi && echo node)
NODE_RUN = $(if $(NODE),--group node --timeout 120 $(patsubst %, \
    '$(NODE) --expose-gc --test-reporter=./$(NODE_FOLDER)/test/reporter.mjs %', \
    $(sort $(wildcard $(NODE_FOLDER)/test/*.test.js))))
EXAMPLES_RUN = --group examples --timeout 90 $(BUILD)/examples/orders
SCENARIO_RUN = --group scenario --timeout 60 $(SCENARIO_TESTS)
HOST_RUN = --group host --timeout 60 $(HOST_TESTS) $(HOST_SCRIPTS)
CLIENTS_RUN = --group clients --timeout 120 $(CLIENT_SCRIPTS)
SMOKE_RUN = --group sim --timeout 120 $(if $(SIM),'$(SIM) --seed 1 --seeds $(SMOKE_SEEDS)')

# $(call build_and_run,targets,arguments of run.sh)
define build_and_run
@$(SUBMAKE) -k $1 || broken='--broken build'; \
BUILD=$(BUILD) sh tests/run.sh $$broken $2
endef
run-node: libs
	$(if $(NODE),,$(error it needs Node 18 and what `make node-deps` installs))
	@BUILD=$(BUILD) sh tests/run.sh $(NODE_RUN)
run-unit:
	$(call build_and_run,$(UNIT_TESTS),$(UNIT_RUN))
run-tests:
	$(if $(PYTHON),,@echo 'the tests of Python and of the documents are skipped: there is no Python 3.9')
	$(if $(NODE),,@echo 'bindings/node is skipped: it needs Node 18 and what `make node-deps` installs')
	$(call build_and_run,test-programs,$(UNIT_RUN) $(FUZZ_RUN) $(API_RUN) \
	    $(FFI_RUN) $(PYTHON_RUN) $(NODE_RUN) $(DOCS_RUN) $(EXAMPLES_RUN) $(SMOKE_RUN) \
	    $(SCENARIO_RUN) $(HOST_RUN) $(CLIENTS_RUN))

wheel: $(SHARED) ## the Python package with the library in it, in BUILD/wheel
	@$(PYTHON) bindings/python/wheel.py $(SHARED) $(BUILD)/wheel

test-python: $(SHARED) $(SHARED_LINKS) ## the tests of the Python package alone
	@BUILD=$(BUILD) sh tests/run.sh $(PYTHON_RUN)

sim: $(BUILD)/sim/sim ## run the simulator: SEEDS=2000 of them from SEED=1 on
	$(BUILD)/sim/sim --seed $(SEED) --seeds $(SEEDS)
