# What is checked beyond `make test`: lint, sanitizers, fuzzers, benchmarks and a real Kafka. Each
# that compiles with other flags has a build directory of its own below $(BUILD).

.PHONY: lint format abi-update abi-release check-abi metrics-update asan ubsan tsan run-sanitized run-threaded fuzz run-fuzz bench \
    bench-bindings test-kafka soak-kafka

lint: ## include layers, sizes, symbols, names, bans, format, docs, warnings of two compilers
	@sh mk/deps.sh build test lint
	@mkdir -p $(BUILD)
	@$(SUBMAKE) -k BUILD=$(BUILD)/lint WERROR=1 LTO=0 libs >$(BUILD)/lint.log 2>&1 \
	    || { grep -E 'error|undefined|warning' $(BUILD)/lint.log; broken='--broken build'; }; \
	BUILD=$(BUILD)/lint sh tests/lint/run.sh $$broken
	@sh tests/lint/sizes.sh --report

format: ## run clang-format on every C file
	@find lib include tools examples tests bindings -name node_modules -prune -o \
	    \( -name '*.[ch]' -o -name '*.cpp' \) -print | xargs clang-format -i

abi-update: $(SHARED) ## write tests/abi/symbols.txt and bindings/abi.json anew from library and headers
	@BUILD=$(BUILD) sh tests/lint/exports.sh --update
	$(if $(PYTHON),@$(PYTHON) bindings/abi.py)
abi-release: abi-update ## make today's interface the one that later ones have to keep: with each release
	@cp bindings/abi.json tests/abi/release.json
check-abi: $(SHARED) ## symbols, layouts and prototypes are the committed ones, and serve programs of the last release
	@BUILD=$(BUILD) sh tests/run.sh --group abi --timeout 60 tests/lint/exports.sh tests/lint/abi.sh

metrics-update: $(BUILD)/unit/core_metrics_list_test ## write METRICS.md anew from the list of metrics
	@$(BUILD)/unit/core_metrics_list_test --update

# One thread of execution in the tests is enough for the first two; data races need the tests that
# have threads, and no others.
SANITIZE_SEEDS ?= 20
SANITIZED = $(MAKE) --no-print-directory CHECKS=1 CFLAGS='-O1 -g' CXXFLAGS='-O1 -g'
export ASAN_OPTIONS ?= detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1

asan: ## the tests under AddressSanitizer and LeakSanitizer
	@sh mk/deps.sh build test sanitize
	@$(SANITIZED) BUILD=$(BUILD)/asan SANITIZE=address SMOKE_SEEDS=$(SANITIZE_SEEDS) run-sanitized
ubsan: ## the tests under UndefinedBehaviorSanitizer
	@sh mk/deps.sh build test sanitize
	@$(SANITIZED) BUILD=$(BUILD)/ubsan SANITIZE=undefined SMOKE_SEEDS=$(SANITIZE_SEEDS) run-sanitized
tsan: ## the tests that have threads under ThreadSanitizer
	@sh mk/deps.sh build test sanitize
	@$(SANITIZED) BUILD=$(BUILD)/tsan SANITIZE=thread run-threaded

run-sanitized:
	$(call build_and_run,$(TEST_PROGRAMS) $(TOOLS) $(EXAMPLES),$(UNIT_RUN) $(FUZZ_RUN) $(API_RUN) $(SMOKE_RUN) \
	    $(SCENARIO_RUN) $(HOST_RUN))
THREADED_UNIT := $(filter $(BUILD)/unit/driver_% $(BUILD)/unit/api_%,$(UNIT_TESTS))
run-threaded:
	$(call build_and_run,$(THREADED_UNIT) $(API_TESTS) $(HOST_TESTS) $(TOOLS),\
	    --group unit --timeout 120 $(THREADED_UNIT) $(API_RUN) --group host --timeout 120 $(HOST_TESTS))

# libFuzzer is clang's. Each target runs TIME seconds (or RUNS inputs) on its corpus; what it finds
# stays in $(BUILD)/fuzz, and $(BUILD)/fuzz/ledger.txt keeps a line of every run; tests/fuzz/ledger.txt
# has the sums. COMPARISONS=0 does not trace them, which is for long runs: about five times the inputs.
TIME ?= 30
RUNS ?= -1
TARGETS ?= $(FUZZ_TARGETS)
FUZZ_TRACE = $(if $(filter 0,$(COMPARISONS)), -fno-sanitize-coverage=trace-cmp)
FUZZERS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
fuzz: ## fuzz each parser: TIME=30 seconds or RUNS=n each, TARGETS="…" for some
	@sh mk/deps.sh build fuzz
	@$(SUBMAKE) BUILD=$(BUILD)/fuzzer CC=clang CHECKS=1 CFLAGS='-O2 -g' \
	    SANITIZE='fuzzer-no-link,address,undefined$(FUZZ_TRACE)' TIME=$(TIME) RUNS=$(RUNS) TARGETS='$(TARGETS)' run-fuzz
run-fuzz: $(TARGETS:%=$(BUILD)/fuzz/%)
	@BUILD=$(BUILD) TIME=$(TIME) RUNS=$(RUNS) sh tests/fuzz/run.sh $(TARGETS)
define fuzzer
$(BUILD)/fuzz/$1: $(call objects,tests/fuzz/$1.c) $(call archives,$(call test_folders,$1))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) $$(call grouped,$$(filter %.a,$$^)) $$(PKG_LIBS)
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzzer,$(target))))

bench: all ## beside librdkafka, with bars and a picture: CASES="…" for some, LIBRDKAFKA=file
	@sh mk/deps.sh build bench
	sh tests/bench/run.sh

bench-bindings: libs $(TOOLS) ## Python beside confluent-kafka, Node beside kafkajs: CASES="…" for some, RUNS=3, BENCH_SECONDS=1.5
	@sh mk/deps.sh build bench
	BUILD=$(BUILD) python3 bindings/bench/run.py

KAFKA_PROGRAMS := $(BUILD)/kafka/verify $(BUILD)/kafka/proxy $(BUILD)/kafka/transactions
$(BUILD)/kafka/verify: $(call objects,$(sort $(wildcard tests/kafka/verify*.c))) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)
$(BUILD)/kafka/proxy: $(call objects,tests/kafka/proxy.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^

# The peer has producers of transactions.
$(BUILD)/kafka/transactions: $(call objects,tests/kafka/transactions.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $$($(PKG_CONFIG) --libs rdkafka)

test-kafka: ## the suite on a real Apache Kafka, fetched by Maven, 14 minutes
	@sh mk/deps.sh build test kafka
	@$(SUBMAKE) all $(KAFKA_PROGRAMS)
	BUILD=$(BUILD) bash tests/kafka/run.sh
soak-kafka: ## the same with hundreds of disturbances a version, 50 minutes; KILLS=… for hours, see tests/kafka/run.sh
	@sh mk/deps.sh build test kafka
	@$(SUBMAKE) all $(KAFKA_PROGRAMS)
	BUILD=$(BUILD) SOAK=1 bash tests/kafka/run.sh
