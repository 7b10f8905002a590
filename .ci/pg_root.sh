#!/bin/bash
# pg_root.sh SUITE MAJOR DIR: a Debian root with another PostgreSQL to test in,
# made from the package mirror that this machine uses.  Nothing is mounted and
# no package of the host changes.
set -euo pipefail
suite=$1 major=$2 dir=$3
# one that another version of this script made is made anew
ready=$dir/.ready-$(cksum <"$0" | cut -d' ' -f1)
[ -e "$ready" ] && exit 0
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null)
mirror=${mirror:-$(awk '$1 == "deb" {print ($2 ~ /^\[/) ? $3 : $2; exit}' /etc/apt/sources.list)}
rm -rf --one-file-system "$dir"
mmdebstrap --quiet --variant=minbase \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --setup-hook='mkdir -p "$1/etc/postgresql-common"; echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"' \
    --include="gcc,make,libc6-dev,libpq-dev,postgresql-$major,postgresql-$major-pgtap,postgresql-$major-cron,libtap-parser-sourcehandler-pgtap-perl,xz-utils" \
    --customize-hook='chroot "$1" sh -ec "cd /tmp; apt-get download postgresql-server-dev-'"$major"'; dpkg -x postgresql-server-dev-'"$major"'_*.deb /; rm -f *.deb"' \
    --customize-hook='chroot "$1" useradd -m tester' \
    "$suite" "$dir" "$mirror"
touch "$ready"
