# What leaves the tree: man pages, the amalgamation, the source archive, the packages of Python, Node and Debian.

.PHONY: man amalgamation dist manylinux npm-package deb

# ---- man pages: those of functions from the headers' comments, those of programs from --help ----

MAN := $(BUILD)/man
$(MAN)/man3/sluice.3: mk/man.awk $(PUBLIC_HEADERS)
	@rm -rf $(@D)
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)awk -f mk/man.awk -v to=$(@D) -v version=$(VERSION) $(PUBLIC_HEADERS)
$(MAN)/man1/%.1: $(BUILD)/% mk/man1.awk
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)$< --help | awk -f mk/man1.awk -v name=$* -v version=$(VERSION) > $@
man: $(MAN)/man3/sluice.3 $(patsubst $(BUILD)/%,$(MAN)/man1/%.1,$(TOOLS)) ## the man pages, in build/man

# ---- one source file and one header, for who compiles the library into a program ----

AMALGAMATION := $(BUILD)/amalgamation
$(AMALGAMATION)/sluice.h: mk/amalgamate.awk $(PUBLIC_HEADERS)
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)awk -f mk/amalgamate.awk -v roots=include include/sluice/sluice.h include/sluice/kafka_errors.h > $@
# Headers come first, because one that a source asks for under a condition is wanted by others without it.
$(AMALGAMATION)/sluice.c: mk/amalgamate.awk $(LIB_SOURCES) $(LIB_HEADERS)
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q){ printf '%s\n' '/* sluice $(VERSION) in one file. C11, with -pthread and these packages:' \
	    ' * $(PACKAGES) */' \
	    '/* With libcurl and -DSL_HAVE_CURL=1 it fetches tokens from OIDC providers, with libsasl2 and' \
	    ' * -DSL_HAVE_GSSAPI=1 it speaks GSSAPI. */' '#define _GNU_SOURCE' '#include "sluice.h"'; \
	    awk -f mk/amalgamate.awk -v roots=lib -v skip=sluice/ $(filter lib/%,$(LIB_HEADERS)) $(LIB_SOURCES); } > $@
amalgamation: $(AMALGAMATION)/sluice.c $(AMALGAMATION)/sluice.h ## the library as one .c and one .h, in build/amalgamation

# ---- the source archive: what is committed, with the commit's time, so the same bytes each time ----

DIST := $(BUILD)/sluice-$(VERSION).tar.gz
dist: ## the source archive of the last commit, build/sluice-VERSION.tar.gz
	@mkdir -p $(BUILD)
	@git archive --format=tar --prefix=sluice-$(VERSION)/ HEAD | gzip -9n > $(DIST)
	@echo $(DIST)

# ---- the Python package for other people's Linux ----

# One file that wants nothing but the C and the C++ library: the other packages are linked in, from their static
# archives, and none of their names leaves it. What would bring half a system along is left out, so its objects are
# others. wheel.py reads from the file which tag it deserves.
MANYLINUX := $(BUILD)/manylinux
WHOLE := $(BUILD)/whole/libsluice.so.$(ABI)
$(WHOLE): LTO_LINK_FLAGS = $(LTO_FLAGS)
$(WHOLE): $(call objects,$(LIB_SOURCES)) lib/sluice.map $(patsubst %,$(BUILD)/obj/lib/%.txt,$(FOLDERS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) $(SHARED_FLAGS) -Wl,--exclude-libs,ALL -o $@ $(filter %.o,$^) \
	    -Wl,-Bstatic $(call grouped,$(PKG_LIBS)) -Wl,-Bdynamic -lstdc++ -lm
manylinux: ## the wheel for any Linux with a C library as old, other packages linked in, in build/manylinux
	@$(SUBMAKE) BUILD=$(MANYLINUX) GSSAPI=0 CURL=0 $(WHOLE:$(BUILD)/%=$(MANYLINUX)/%)
	@$(PYTHON) bindings/python/wheel.py $(WHOLE:$(BUILD)/%=$(MANYLINUX)/%) $(MANYLINUX) --manylinux

# ---- the Node package with the shared library of this platform ----

NODE_PLATFORM = $(shell node -p 'process.platform + "-" + process.arch')
npm-package: libs ## the Node package with this platform's library, build/npm/sluice-VERSION.tgz
	@rm -rf $(BUILD)/npm
	@mkdir -p $(BUILD)/npm/package/prebuilt/$(NODE_PLATFORM)
	@cp -R $(addprefix bindings/node/,package.json index.js index.mjs index.d.ts testing.js testing.mjs testing.d.ts lib) \
	    LICENSE $(BUILD)/npm/package
	@cp $(SHARED) $(BUILD)/npm/package/prebuilt/$(NODE_PLATFORM)/$(notdir $(firstword $(SHARED_LINKS)))
	@cd $(BUILD)/npm && npm pack --silent ./package

# ---- Debian ----

deb: dist ## Debian packages of the last commit, in build/deb: libsluice0, libsluice-dev, sluice-tools
	@sh mk/deps.sh build deb
	@rm -rf $(BUILD)/deb
	@mkdir -p $(BUILD)/deb
	@cp $(DIST) $(BUILD)/deb/sluice_$(VERSION).orig.tar.gz
	@tar -xzf $(DIST) -C $(BUILD)/deb
	@cd $(BUILD)/deb/sluice-$(VERSION) && dpkg-buildpackage -us -uc
