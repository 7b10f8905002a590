#!/bin/bash
# with_server.sh [-o setting=value]... COMMAND...
#
# Builds the extension into a private copy of the PostgreSQL that PG_CONFIG
# names, starts a throwaway server of that copy, and runs COMMAND against it
# (PGHOST, PGPORT, PGUSER and PGDATABASE are set).  Nothing is installed into
# the system and no existing cluster is touched; all of it is removed at the end.
# As root everything runs as the user "nobody".
set -euo pipefail

settings=()
while [ "${1:-}" = "-o" ]; do
    settings+=("$2")
    shift 2
done
pg_config=${PG_CONFIG:-pg_config}
source=$(cd "$(dirname "$0")/.." && pwd)
bindir=$("$pg_config" --bindir)
sharedir=$("$pg_config" --sharedir)
pkglibdir=$("$pg_config" --pkglibdir)

root=$(mktemp -d "${TMPDIR:-/tmp}/tokenomics.XXXXXX")
chmod 755 "$root"
as_user() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    as_user() { runuser -u nobody -- env HOME="$root" "$@"; }
fi
stop() {
    if [ -f "$root/data/postmaster.pid" ]; then
        as_user "$root$bindir/pg_ctl" -D "$root/data" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    rm -rf --one-file-system "$root"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

# The server finds its files relative to its own place, so links do for all
# but the programs themselves.
mkdir -p "$root$bindir" "$root$sharedir" "$root$pkglibdir" "$root/socket"
cp -L "$bindir"/{postgres,initdb,pg_ctl} "$root$bindir"
cp -rs "$sharedir/." "$root$sharedir"
cp -rs "$pkglibdir/." "$root$pkglibdir" 2>/dev/null || cp -rsn "$pkglibdir/." "$root$pkglibdir"
find "$root$sharedir/extension" -name 'tokenomics*' -delete
rm -f "$root$pkglibdir/tokenomics.so"
make -s -C "$source" with_llvm=no PG_CONFIG="$pg_config" ${WERROR:+WERROR=$WERROR} ${PROFILE:+PROFILE="$PROFILE"} install DESTDIR="$root" >/dev/null

chmod 777 "$root/socket" "$root"
as_user "$root$bindir/initdb" -D "$root/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 -N >"$root/initdb.log" 2>&1 ||
    { cat "$root/initdb.log" >&2; exit 1; }
{
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$root/socket'"
    echo "port = 5432"
    echo "fsync = off"
    echo "logging_collector = off"
    for setting in "${settings[@]}"; do
        echo "${setting%%=*} = '${setting#*=}'"
    done
} >>"$root/data/postgresql.conf"
# shellcheck disable=SC2086
as_user env ${TOKENOMICS_SERVER_ENV:-} "$root$bindir/pg_ctl" -D "$root/data" -l "$root/server.log" -w start >/dev/null ||
    { cat "$root/server.log" >&2; exit 1; }

# psql and the like themselves, where the PATH has a wrapper that chooses one
export PATH="$bindir:$PATH"
export PGHOST="$root/socket" PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
export TOKENOMICS_BINDIR="$root$bindir" TOKENOMICS_DATADIR="$root/data"
export TOKENOMICS_LIBDIR="$root$pkglibdir"
export TOKENOMICS_SERVER_LOG="$root/server.log"
"$@"
