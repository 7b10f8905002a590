#!/bin/bash
# pg_check.sh DIR MAJOR SOURCE DATA [TAP PGTAP]: the tests inside a root of pg_root.sh,
# all or those scripts alone beside pg_regress, as the unprivileged user "tester".  /proc is mounted in a mount and process
# namespace of its own: it vanishes with the command, and so does any server.
set -euo pipefail
dir=$1 major=$2 source=$3 data=$4 tap=${5:-} pgtap=${6:-}
home=$dir/home/tester
rm -rf "$home/src" "$home/data"
mkdir -p "$home/src" "$home/data"
tar -C "$source" --exclude=.git --exclude=build --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . | tar -C "$home/src" -xf -
[ ! -d "$data" ] || tar -C "$data" --exclude=sealed.enc -cf - . | tar -C "$home/data" -xf -
chroot "$dir" chown -R tester: /home/tester
unshare --mount --pid --fork --kill-child sh -ec '
    mount -t proc proc "$1/proc"
    chroot "$1" runuser -u tester -- env -u PG_CONFIG HOME=/home/tester LC_ALL=C.UTF-8 TOKENOMICS_DATA=/home/tester/data WERROR=-Werror \
        make -s -C /home/tester/src PG_MAJOR="$2" ${3:+TAP="$3"} ${4:+PGTAP="$4"} check' sh "$dir" "$major" "$tap" "$pgtap"
