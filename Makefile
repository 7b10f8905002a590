# tokenomics: see README.md.  make help lists the targets.

EXTENSION  = tokenomics
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" tokenomics.control)

# The rooms, in the order of dependency: each has a NAME.sql, most a NAME.c.
ROOMS      = tokens vendor rates price_book cost price price_import default_prices install
C_FILES    = module scan money tokens vendor rates price_book cost

MODULE_big  = tokenomics
OBJS        = $(C_FILES:%=src/%.o)
INSTALL_SQL = src/tokenomics--$(EXTVERSION).sql
DATA_built  = $(INSTALL_SQL)
DATA        = $(wildcard src/upgrade/tokenomics--*--*.sql)
DOCS        = README.md
EXTRA_CLEAN = src/tokenomics--*.sql build results regression.diffs regression.out

REGRESS      = tokens vendor rates price_book cost price price_import malformed
REGRESS_OPTS = --inputdir=. --outputdir=build/regress --load-extension=btree_gist --load-extension=tokenomics

PG_CPPFLAGS = -DEXTVERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
              -Wno-cast-function-type -fvisibility=hidden $(WERROR)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)
endif

$(OBJS): $(wildcard src/*.h) Makefile tokenomics.control

$(INSTALL_SQL): src/guard.sql $(ROOMS:%=src/%.sql) Makefile
	cat $(filter %.sql,$^) > $@
