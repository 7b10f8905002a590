# tokenomics: see README.md; "make help" lists the targets.

EXTENSION  = tokenomics
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" tokenomics.control)

# The rooms, in the order of dependency: each has a NAME.sql, most a NAME.c.
ROOMS   = tokens vendor rates price_book ratio cost period ledger profile turn index price_panel bridge bill price price_import default_prices usage charge settle measure trends price_change focus factors growth behaviour forecast quote value budget report reader retired renew install
C_FILES = module scan json varint money tokens vendor rates price_book ratio cost period ledger ledger_io booking charge profile turn turn_io index price_panel bridge bill settle factors behaviour forecast quote value budget smoothing $(patsubst src/%.c,%,$(wildcard src/retired.c))

MODULE_big  = tokenomics
OBJS        = $(C_FILES:%=src/%.o)
INSTALL_SQL = src/tokenomics--$(EXTVERSION).sql
DATA_built  = $(INSTALL_SQL)
DATA        = $(wildcard src/upgrade/tokenomics--*.sql)
DOCS        = README.md
EXTRA_CLEAN = src/tokenomics--*.sql build

REGRESS      = tokens vendor rates price_book cost period ledger profile turn index bridge price price_import usage charge settle measure trends price_change focus factors growth behaviour forecast quote value budget report malformed index_trend hostile
REGRESS_OUT  = $(or $(TOKENOMICS_OUT),build/regress)
REGRESS_OPTS = --inputdir=. --outputdir=$(REGRESS_OUT) --load-extension=btree_gist --load-extension=tokenomics

PG_CPPFLAGS = -DEXTVERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
              -Wno-cast-function-type -fvisibility=hidden $(WERROR)

# Packages: to build, to test, to work on the code.
PG_MAJOR   ?= 15
BUILD_DEPS  = gcc libc6-dev make postgresql-$(PG_MAJOR) \
              postgresql-server-dev-$(PG_MAJOR):/usr/include/postgresql/$(PG_MAJOR)/server/postgres.h
CHECK_DEPS  = $(BUILD_DEPS) postgresql-$(PG_MAJOR)-cron postgresql-$(PG_MAJOR)-pgtap libtap-parser-sourcehandler-pgtap-perl gzip xz-utils
LINT_DEPS   = pg-bsd-indent cppcheck codespell
NODE_DEPS   = nodejs:$(or $(shell command -v node),/usr/bin/node) npm:$(or $(shell command -v npm),/usr/bin/npm)
# the temporary server needs what builds the extension; a database of yours does not
REPORT_DEPS = $(NODE_DEPS) $(if $(DATABASE_URL),,$(BUILD_DEPS))
# the shell alone draws as Chromium does, at half the time; either will do
PICTURE_DEPS = $(BUILD_DEPS) $(NODE_DEPS) chromium-headless-shell:$(or $(wildcard /usr/bin/chromium),/usr/bin/chromium-headless-shell) fonts-dejavu-core odbc-postgresql unixodbc
FUZZ_DEPS   = $(BUILD_DEPS) clang libclang-rt-14-dev

PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config) pg_config)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

SERVER = PG_CONFIG=$(PG_CONFIG) test/with_server.sh
# Where no time is measured, as is said where it is: to compile the many queries of
# tests takes longer than to run them.
PLAIN  = $(SERVER) -o jit=off
# pg_cron runs where it is there
CRON   = $(if $(wildcard $(shell $(PG_CONFIG) --pkglibdir 2>/dev/null)/pg_cron.so),-o shared_preload_libraries=pg_cron -o cron.use_background_workers=on)

# The targets for people need neither a server nor its files: they install
# what is missing and go on in a make of their own.  All else is PGXS.
OURS = help demo report dashboard check check-pictures upgrade-script bench bench-settle bench-cost bench-growth fuzz sanitize lint indent
ifneq ($(filter-out $(OURS),$(or $(MAKECMDGOALS),all)),)

include $(or $(PGXS),$(error There are no PostgreSQL server files. As root: apt-get install -y postgresql-server-dev-$(PG_MAJOR)))

$(OBJS): $(wildcard src/*.h) Makefile tokenomics.control

# Their inner loops run over a few meters or bytes, whose number is known.
src/tokens.o src/cost.o src/booking.o: CFLAGS += $(CFLAGS_UNROLL_LOOPS)

# The sums of index numbers carry the error of each addition, which a fused
# multiplication would change; and a forecast, an effect or an interval is the
# same on every machine.
src/index.o src/price_panel.o src/bridge.o src/forecast.o src/smoothing.o src/budget.o src/value.o src/profile.o: CFLAGS += -ffp-contract=off

$(INSTALL_SQL): src/guard.sql $(ROOMS:%=src/%.sql) Makefile tokenomics.control
	cat $(filter %.sql,$^) > $@

installcheck: $(REGRESS_OUT)
$(REGRESS_OUT):
	mkdir -p $@

# On the server that PGHOST and PGPORT name; pg_regress is "make installcheck".
# Directives are shown, so that nothing is skipped in silence.
PROVE       = prove --timer --directives
PGTAP       = $(sort $(wildcard test/*.sql))
prove-pgtap:
	PGOPTIONS='-c client_min_messages=warning' psql -Xqc 'DROP DATABASE IF EXISTS pgtap' -c 'CREATE DATABASE pgtap'
	PGOPTIONS='-c client_min_messages=warning' psql -Xq -d pgtap -c 'CREATE EXTENSION tokenomics CASCADE' -c 'CREATE EXTENSION pgtap'
	pg_prove --timer --directives -d pgtap $(PGTAP)
# Two at a time, first those that take long or wait.  TAP names some of them.
TAP         = $(sort $(wildcard test/t/*.pl))
TAP_LONG    = $(foreach n,080 042 006 040 033 010 007,$(filter test/t/$(n)%,$(TAP)))
TAP_OTHER   = $(filter-out $(TAP_LONG) $(TAP_ALONE),$(TAP))
prove-tap:
	$(if $(strip $(TAP_LONG) $(TAP_OTHER)),$(PROVE) -j2 $(TAP_LONG) $(TAP_OTHER))
check-sql: installcheck
	$(MAKE) -s with_llvm=no PG_CONFIG=$(PG_CONFIG) prove-pgtap
check-server: check-sql prove-tap
# On a server of their own: they kill it.
TAP_ALONE   = $(filter test/t/06%,$(TAP))
prove-tap-alone:
	$(PROVE) $(TAP_ALONE)

demo-with-server:
	$(PLAIN) test/demo/run.sh
check-pictures-with-server:
	$(PLAIN) $(PROVE) -j2 --ext .pl test/pictures
# Side by side, for a test uses one processor; built once, before.
check-with-server:
	$(MAKE) -s -j2 with_llvm=no PG_CONFIG=$(PG_CONFIG) all
	$(MAKE) -s -j3 -O with_llvm=no PG_CONFIG=$(PG_CONFIG) check-beside $(if $(TAP_ALONE),check-alone)
check-beside:
	$(PLAIN) $(CRON) $(MAKE) -s with_llvm=no PG_CONFIG=$(PG_CONFIG) check-server
check-alone:
	$(PLAIN) $(MAKE) -s with_llvm=no PG_CONFIG=$(PG_CONFIG) prove-tap-alone
# from the released versions to this one
upgrade-script-with-server:
	rm -f src/retired.[co]
	$(MAKE) -s with_llvm=no PG_CONFIG=$(PG_CONFIG)
	perl src/upgrade/make.pl symbols
	$(SERVER) perl src/upgrade/make.pl scripts
bench-with-server:
	$(SERVER) -o shared_buffers=$(BUFFERS) -o jit=off test/bench/engines.sh $(CALLS) $(ROUNDS)
	$(SERVER) -o shared_buffers=$(BUFFERS) -o jit=off test/bench/settle.sh $(CALLS) $(ROUNDS)
bench-settle-with-server:
	$(SERVER) -o shared_buffers=$(BUFFERS) -o jit=off test/bench/settle.sh $(CALLS) $(ROUNDS)
bench-cost-with-server:
	$(SERVER) -o shared_buffers=2GB -o jit=off test/bench/run.sh $(CALLS)
bench-growth-with-server:
	$(SERVER) psql -Xq -v ON_ERROR_STOP=1 -v rounds=$(ROUNDS) -f test/bench/growth.sql

.PHONY: prove-pgtap prove-tap prove-tap-alone check-sql check-server check-beside check-alone demo-with-server check-pictures-with-server check-with-server upgrade-script-with-server bench-with-server bench-settle-with-server bench-cost-with-server bench-growth-with-server

else

help:
	@echo "make demo          from nothing to a company's trends, on a temporary server"
	@echo "make report        the report of a month, one HTML file   [MONTH=2026-06 DATABASE_URL=postgresql://... OUT=build/report-2026-06.html]"
	@echo "make dashboard     the charts as a page                   [MONTH=2026-06 DATABASE_URL=postgresql://... OUT=build/dashboard.html]"
	@echo "                   of the demo company, on a temporary server, where no DATABASE_URL is given"
	@echo "make check-pictures the pages in a browser; the views through node-postgres and ODBC"
	@echo "make check         all tests, on a temporary server"
	@echo "make upgrade-script the scripts that bring a released version up to this one; after a change of what is in src/*.sql"
	@echo "make installcheck  the pg_regress tests, on the server that PGHOST and PGPORT name"
	@echo "make bench         a year by month and model, against count(*), plain SQL, DuckDB and ClickHouse [CALLS=2000000 ROUNDS=5 BUFFERS=2GB]"
	@echo "make bench-settle  its last part: settled days, refresh, marks     [CALLS=2000000 ROUNDS=5 BUFFERS=2GB]"
	@echo "make bench-cost    pricing against a no-op, as ratios            [CALLS=2000000]"
	@echo "make bench-growth  each view of growth, 36 settled months of 200 models, and 1,000 budgets, milliseconds [ROUNDS=5]"
	@echo "make sanitize      the pg_regress tests under AddressSanitizer and UBSan"
	@echo "make fuzz          the parsers under libFuzzer                   [SECONDS_EACH=60]"
	@echo "make lint, indent  check or rewrite the style of the C code"

CALLS = 2000000
ROUNDS = 5
BUFFERS = 2GB
SECONDS_EACH = 60

demo:
	@test/deps.sh $(BUILD_DEPS)
	@$(MAKE) -s demo-with-server
report: OUT = build/report$(MONTH:%=-%).html
dashboard: OUT = build/dashboard.html
report dashboard:
	@test/deps.sh $(REPORT_DEPS)
	@PG_CONFIG=$(PG_CONFIG) DATABASE_URL='$(DATABASE_URL)' report/write.sh $@ $(OUT) $(MONTH)
check-pictures:
	@test/deps.sh $(PICTURE_DEPS)
	@test/deps.sh chromium-headless-shell || true
	@$(MAKE) -s check-pictures-with-server
check:
	@test/deps.sh $(CHECK_DEPS)
	@$(MAKE) -s check-with-server
upgrade-script:
	@test/deps.sh $(BUILD_DEPS)
	@$(MAKE) -s upgrade-script-with-server
bench:
	@test/deps.sh $(BUILD_DEPS)
	@test/deps.sh $(NODE_DEPS) || true
	@$(MAKE) -s bench-with-server CALLS=$(CALLS) ROUNDS=$(ROUNDS) BUFFERS=$(BUFFERS)
bench-settle:
	@test/deps.sh $(BUILD_DEPS)
	@$(MAKE) -s bench-settle-with-server CALLS=$(CALLS) ROUNDS=$(ROUNDS) BUFFERS=$(BUFFERS)
bench-cost:
	@test/deps.sh $(BUILD_DEPS)
	@$(MAKE) -s bench-cost-with-server CALLS=$(CALLS)
bench-growth:
	@test/deps.sh $(BUILD_DEPS)
	@$(MAKE) -s bench-growth-with-server ROUNDS=$(ROUNDS)
sanitize:
	@test/deps.sh $(BUILD_DEPS)
	@PG_CONFIG=$(PG_CONFIG) test/sanitize.sh
fuzz:
	@test/deps.sh $(FUZZ_DEPS)
	@PG_CONFIG=$(PG_CONFIG) test/fuzz/run.sh $(SECONDS_EACH)
lint:
	@test/deps.sh $(LINT_DEPS)
	@test/lint.sh
indent:
	@test/deps.sh $(LINT_DEPS)
	@for f in src/*.c src/*.h test/*/*.c; do [ ! -e $$f ] || test/indent.sh $$f; done

.PHONY: $(OURS)

endif
