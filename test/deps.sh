#!/bin/bash
# deps.sh [PACKAGE[:FILE]...]: installs the Debian packages that are missing, as
# root; as another user prints the command that would, and goes on.  A package
# whose FILE is there counts as installed.
set -euo pipefail
missing=()
for item in "$@"; do
    package=${item%%:*}
    [ "$package" = "$item" ] || [ ! -e "${item#*:}" ] || continue
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
    echo "Missing Debian packages.  As root: $install" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# no cluster is made by installing the server: ours is thrown away
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
fi
$install >/dev/null 2>&1 || { apt-get update >/dev/null && $install >/dev/null; }
