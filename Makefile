# sluice: the build, plain GNU make. `make help` lists what it can do.
#
# Sources are found by wildcard, so a new file needs no edit here. Everything that is made goes to
# $(BUILD), so a second set of objects (sanitizers, another compiler) is a second BUILD directory.
# Objects are compiled once, position independent and with hidden symbols, for both libraries.
# mk/test.mk has the test programs, mk/check.mk the lint, sanitizers, fuzzers and long runs, mk/package.mk
# what leaves the tree.

VERSION := 0.1.0
ABI := 0

BUILD ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DESTDIR ?=

CFLAGS ?= -O2 -g
CXXFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
INSTALL ?= install
# WERROR=1 turns warnings into errors, CHECKS=1 compiles the expensive assertions in, SANITIZE
# names what goes to -fsanitize=, DEFINES adds macros. Use a BUILD of its own with each.
WERROR ?= 0
CHECKS ?= 0
SANITIZE ?=
DEFINES ?=
# LTO=1 makes the shared library one module at link time, for a few per cent of the CPU of a produced
# record; it needs a compiler that keeps ordinary code beside it for the static library.
LTO ?= $(if $(SANITIZE)$(findstring clang,$(CC)),0,$(shell $(CC) --version 2>/dev/null | \
    awk 'NR == 1 { print ($$0 !~ /clang/) }'))
# V=1 prints whole command lines. JOBS is for the targets that call make themselves; a -j that was
# given goes before it.
V ?= 0
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@printf '  %-4s %s\n' '$1' '$2')
SUBMAKE = $(MAKE) --no-print-directory $(if $(Q),-s) -O $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# All of these are required from the start, so that a build never lacks a feature silently; the linker
# keeps those that are used.
PACKAGES := libcrypto libssl zlib snappy liblz4 libzstd
# What tokens are fetched with from an OIDC provider, where it is installed; CURL=0 leaves it out. Without
# it the client says so when it is asked to.
CURL ?= $(shell $(PKG_CONFIG) --exists libcurl 2>/dev/null && echo 1 || echo 0)
EXTRA_PACKAGES := $(if $(filter 1,$(CURL)),libcurl)
# What GSSAPI is spoken by, likewise; GSSAPI=0 leaves it out.
GSSAPI ?= $(shell $(PKG_CONFIG) --exists libsasl2 2>/dev/null && echo 1 || echo 0)
EXTRA_PACKAGES += $(if $(filter 1,$(GSSAPI)),libsasl2)
# Before glibc 2.34 dlopen is in a library of its own.
DL_LIBS := $(if $(filter Linux,$(shell uname -s)),-ldl)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) $(EXTRA_PACKAGES) 2>/dev/null)
ifeq ($(CURL),1)
PKG_CFLAGS += -DSL_HAVE_CURL=1
endif
ifeq ($(GSSAPI),1)
PKG_CFLAGS += -DSL_HAVE_GSSAPI=1
endif
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) $(EXTRA_PACKAGES) 2>/dev/null) $(DL_LIBS)
# For the static library. By name alone: what these two want themselves is linked into them.
EXTRA_LIBS := $(if $(strip $(EXTRA_PACKAGES)),$(shell $(PKG_CONFIG) --libs-only-l $(EXTRA_PACKAGES) 2>/dev/null))

WARNINGS := -Wall -Wextra -Wconversion -Wshadow
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
ifeq ($(CHECKS),1)
DEFINES += -DSL_CHECKS=1
endif
ifneq ($(SANITIZE),)
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif

ifeq ($(LTO),1)
LTO_FLAGS := -flto=auto -ffat-lto-objects
NO_LTO_FLAGS := -fno-lto
endif

COMMON_FLAGS := -pthread -MMD -MP $(SANITIZE_FLAGS)
LIB_CFLAGS = -std=c11 $(C_WARNINGS) $(COMMON_FLAGS) -fPIC -fvisibility=hidden -Iinclude -Ilib \
    $(PKG_CFLAGS) $(DEFINES) $(CPPFLAGS) $(CFLAGS) $(LTO_FLAGS)
# Programs may use POSIX; those that stand for an application see the public headers alone.
PROGRAM_CFLAGS = -std=c11 $(C_WARNINGS) $(COMMON_FLAGS) -D_DEFAULT_SOURCE -Iinclude -Ilib -Itests \
    $(DEFINES) $(CPPFLAGS) $(CFLAGS)
PUBLIC_CFLAGS = -std=c99 -pedantic $(C_WARNINGS) $(COMMON_FLAGS) -D_DEFAULT_SOURCE -Iinclude \
    $(CPPFLAGS) $(CFLAGS)
PUBLIC_CXXFLAGS = -std=c++11 -pedantic $(WARNINGS) $(COMMON_FLAGS) -Iinclude $(CPPFLAGS) $(CXXFLAGS)

comma := ,
empty :=
space := $(empty) $(empty)

# Apple's linker has other words for the same things.
ifeq ($(shell uname -s),Darwin)
SHARED := $(BUILD)/libsluice.$(VERSION).dylib
SHARED_LINKS := $(BUILD)/libsluice.$(ABI).dylib $(BUILD)/libsluice.dylib
SHARED_FLAGS = -dynamiclib -install_name $(LIBDIR)/libsluice.$(ABI).dylib
else
SHARED := $(BUILD)/libsluice.so.$(VERSION)
SHARED_LINKS := $(BUILD)/libsluice.so.$(ABI) $(BUILD)/libsluice.so
# nodelete: threads of clients that nobody has closed run on when the library is unloaded, as foreign
# languages do on their way out.
SHARED_FLAGS = -shared -Wl,-soname,libsluice.so.$(ABI) -Wl,--version-script=lib/sluice.map -Wl,-z,nodelete
ifeq ($(SANITIZE),)
SHARED_FLAGS += -Wl,-z,defs
endif
LINK_FLAGS := -Wl,--as-needed
GROUP_BEGIN := -Wl,--start-group
GROUP_END := -Wl,--end-group
endif
STATIC := $(BUILD)/libsluice.a
# LTO_LINK_FLAGS is set for the shared library alone. -fno-lto wins over a later -flto, silently.
LTO_LINK_FLAGS = $(NO_LTO_FLAGS)
LINK = $(CC) -pthread $(SANITIZE_FLAGS) $(CFLAGS) $(LTO_LINK_FLAGS) $(LINK_FLAGS) $(LDFLAGS)
LINKXX = $(CXX) -pthread $(SANITIZE_FLAGS) $(CXXFLAGS) $(NO_LTO_FLAGS) $(LINK_FLAGS) $(LDFLAGS)
# $(call objects,sources), $(call archives,folders): a group, because the order of archives that
# refer to each other must not matter.
objects = $(patsubst %,$(BUILD)/obj/%.o,$(basename $1))
archives = $(patsubst %,$(BUILD)/lib%.a,$1)
grouped = $(GROUP_BEGIN) $1 $(GROUP_END)

# below_FOLDER: the folder and all it may use.
$(foreach entry,$(shell awk -f mk/layers.awk lib/layers.txt),$(eval $(subst $(comma),$(space),$(entry))))
FOLDERS := $(shell awk -F: '/^[a-z]/ { print $$1 }' lib/layers.txt)
folder_sources = $(sort $(wildcard lib/$1/*.c lib/$1/*/*.c))
LIB_SOURCES := $(foreach folder,$(FOLDERS),$(call folder_sources,$(folder)))
LIB_HEADERS := $(sort $(wildcard include/sluice/*.h lib/*/*.h lib/*/*/*.h))
PUBLIC_HEADERS := $(sort $(wildcard include/sluice/*.h))
TOOLS := $(patsubst tools/%.c,$(BUILD)/%,$(sort $(wildcard tools/*.c)))
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(sort $(wildcard examples/*.c)))

.PHONY: all libs programs deps demo orders dashboard logs etl activity docs install uninstall clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

all: libs programs ## build the libraries, the programs and the examples
libs: $(STATIC) $(SHARED) $(SHARED_LINKS)
programs: $(TOOLS) $(EXAMPLES)

# $(call stamp,file,text): a file with that text, written only when the text changes. What depends
# on it is made again when flags change, or when a source is added or removed.
define stamp
$1: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(strip $2)' | cmp -s - $$@ || printf '%s\n' '$(strip $2)' > $$@
endef
FLAGS_STAMP := $(BUILD)/obj/flags.txt
$(eval $(call stamp,$(FLAGS_STAMP),$(CC) $(CXX) $(LIB_CFLAGS) $(PROGRAM_CFLAGS) $(CXXFLAGS) $(LDFLAGS)))
$(foreach folder,$(FOLDERS),$(eval \
    $(call stamp,$(BUILD)/obj/lib/$(folder).txt,$(call folder_sources,$(folder)))))

# The first thing that a machine without the packages hears of.
$(BUILD)/obj/packages.ok: mk/deps.sh mk/deps.txt
	@mkdir -p $(@D)
	@sh mk/deps.sh --check build
	@touch $@

$(BUILD)/obj/lib/%.o: lib/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(LIB_CFLAGS) -c $< -o $@
# The only folder that sees the operating system.
$(BUILD)/obj/lib/driver/%.o: lib/driver/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(LIB_CFLAGS) -D_GNU_SOURCE -c $< -o $@

# One archive a folder, for the unit tests: a folder that does not compile stops only the tests of
# the folders above it.
define folder_archive
$(BUILD)/lib$1.a: $(call objects,$(call folder_sources,$1)) $(BUILD)/obj/lib/$1.txt
	@rm -f $$@
	$(call say,AR,$$@)
	$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach folder,$(FOLDERS),$(eval $(call folder_archive,$(folder))))

$(STATIC): $(call objects,$(LIB_SOURCES)) $(patsubst %,$(BUILD)/obj/lib/%.txt,$(FOLDERS))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
$(SHARED): LTO_LINK_FLAGS = $(LTO_FLAGS)
$(SHARED): $(call objects,$(LIB_SOURCES)) lib/sluice.map \
    $(patsubst %,$(BUILD)/obj/lib/%.txt,$(FOLDERS))
	$(call say,LINK,$@)
	$(Q)$(LINK) $(SHARED_FLAGS) -o $@ $(filter %.o,$^) $(PKG_LIBS)
$(SHARED_LINKS): $(SHARED)
	@ln -sf $(<F) $@

$(BUILD)/obj/tools/%.o: tools/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(PROGRAM_CFLAGS) -c $< -o $@
$(TOOLS): $(BUILD)/%: $(BUILD)/obj/tools/%.o $(STATIC)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

$(BUILD)/obj/examples/%.o: examples/%.c $(FLAGS_STAMP) | $(BUILD)/obj/packages.ok
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(PUBLIC_CFLAGS) -c $< -o $@
$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

deps: ## install what is missing to build and test (or print the command that does)
	@sh mk/deps.sh build test

# A second make, because the packages may be new to this machine since this one looked for them.
demo: deps ## the bundled broker, a producer and a consumer at work on a file of lines
	@$(SUBMAKE) $(BUILD)/examples/demo
	$(BUILD)/examples/demo README.md
orders: deps ## one topic, three services that each get every order, on the bundled broker
	@$(SUBMAKE) $(BUILD)/examples/orders
	$(BUILD)/examples/orders

dashboard: libs ## a web page that plots a topic live, on the bundled broker; needs Node (PORT=8080)
	@test -d bindings/node/node_modules/koffi || $(SUBMAKE) node-deps
	SLUICE_LIBRARY=$(BUILD)/libsluice$(suffix $(lastword $(SHARED_LINKS))) \
	    node bindings/node/examples/dashboard/server.mjs --port $(or $(PORT),8080)

PYTHON_EXAMPLES := logs etl activity
logs: ## log aggregation in Python: files that are written to are followed into a topic, on the bundled broker
etl: ## SQLite to a topic to SQLite in Python, with a crash in the middle
activity: ## activity tracking in Python, with a replay from a time on
$(PYTHON_EXAMPLES): libs
	SLUICE_LIBRARY=$(BUILD)/libsluice$(suffix $(lastword $(SHARED_LINKS))) PYTHONPATH=bindings/python \
	    $(or $(PYTHON),$(error it needs Python 3.9)) bindings/python/examples/$@.py

docs: $(BUILD)/sluice-config ## write CONFIGURATION.md anew from the property table
	@$(BUILD)/sluice-config > CONFIGURATION.md

# Folders below the prefix are named by it, so that pkg-config --define-prefix finds a tree that was moved.
below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$1)
SED_PC = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(call below_prefix,$(LIBDIR))|' \
    -e 's|@INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|' -e 's|@PACKAGES@|$(PACKAGES)|' \
    -e 's|@DL_LIBS@|$(EXTRA_LIBS) $(DL_LIBS)|'
install: libs $(TOOLS) man ## install libraries, headers, programs, man pages (PREFIX, DESTDIR, LIBDIR, MANDIR)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(PKGCONFIGDIR) $(DESTDIR)$(INCLUDEDIR)/sluice $(DESTDIR)$(BINDIR) \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3
	$(INSTALL) -m 644 $(PUBLIC_HEADERS) $(DESTDIR)$(INCLUDEDIR)/sluice
	$(INSTALL) -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	for link in $(notdir $(SHARED_LINKS)); do \
	    ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/$$link || exit 1; done
	$(SED_PC) pkgconfig/sluice.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/sluice.pc
	chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/sluice.pc
	$(INSTALL) -m 644 $(MAN)/man1/*.1 $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(MAN)/man3/*.3 $(DESTDIR)$(MANDIR)/man3
	for tool in $(TOOLS); do $(INSTALL) -m 755 $$tool $(DESTDIR)$(BINDIR) || exit 1; done

uninstall: ## remove what install put there (same variables)
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/sluice/,$(notdir $(PUBLIC_HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(notdir $(STATIC) $(SHARED) $(SHARED_LINKS)))
	rm -f $(DESTDIR)$(PKGCONFIGDIR)/sluice.pc $(DESTDIR)$(MANDIR)/man3/sluice.3 $(DESTDIR)$(MANDIR)/man3/sluice_*.3
	rm -f $(patsubst $(BUILD)/%,$(DESTDIR)$(MANDIR)/man1/%.1,$(TOOLS))
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(notdir $(TOOLS)))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/sluice 2>/dev/null

clean: ## remove the build directory
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

include mk/package.mk
include mk/test.mk
include mk/check.mk
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
