#!/bin/sh
# A backup of the server's data, and the end of the oldest copies.
set -eu
export LC_ALL=C

usage() {
  cat <<'END'
usage: backup.sh --to FOLDER [--keep N] [--data FOLDER]

Copies a server's data to FOLDER, also while the server writes; what FOLDER has already is not copied again. Each time is
a copy of its own in it, and the oldest go until N are left. Where a copy fails, nothing goes.

  --to FOLDER    folder of the backup; it is made where its parent is there
  --keep N       copies that stay, 1 or more        [14]
  --data FOLDER  folder of the server's data        [MCB_DATA_DIR, or ./data]

A backup on the disk of the data must leave MCB_MIN_FREE_MIB [1024] free there: below, the server refuses writes.
END
}

fail() {
  echo "backup.sh: $1" >&2
  exit 1
}

to=
keep=14
data=${MCB_DATA_DIR:-./data}
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --to | --keep | --data)
      [ $# -ge 2 ] || fail "$1 needs a value; --help tells which"
      case $1 in
        --to) to=$2 ;;
        --keep) keep=$2 ;;
        --data) data=$2 ;;
      esac
      shift 2
      ;;
    *) fail "\"$1\" is no option; --help lists those there are" ;;
  esac
done
[ -n "$to" ] || fail "--to is missing: the folder of the backup"
case $keep in
  '' | *[!0-9]* | 0*) fail "--keep must be a whole number from 1 on, not \"$keep\"" ;;
esac
case $to in
  -*) to=./$to ;;
esac

app=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
node=$app/node_modules/.bin/node
[ -x "$node" ] || node=$(command -v node) || fail "there is no node; install the server's packages, or Node 20 or newer"
file=$data/mcbackend.sqlite
[ -f "$file" ] || fail "there is no \"$file\"; set --data to the folder of the server's data"

umask 077
[ -d "$to" ] || mkdir -- "$to" || fail "the folder \"$to\" cannot be made; make its parent, or mount its disk"

# One at a time, where this machine can tell: the lock ends with this process.
if command -v flock > /dev/null; then
  exec 9> "$to/.backup.lock"
  flock -n 9 || fail "another backup to \"$to\" is under way"
fi

kib_of() { if [ -e "$1" ]; then du -skL -- "$1" | cut -f 1; else echo 0; fi; }
disk_of() { df -Pk -- "$1" | awk 'NR == 2 { print $NF }'; }
# The index is copied whole; of the objects, what the backup lacks.
needed=$(($(kib_of "$file") + $(kib_of "$file-wal") + $(kib_of "$data/journal")))
new=$(($(kib_of "$data/objects") - $(kib_of "$to/objects")))
if [ "$new" -gt 0 ]; then needed=$((needed + new)); fi
if [ "$(disk_of "$to")" = "$(disk_of "$data")" ]; then needed=$((needed + ${MCB_MIN_FREE_MIB:-1024} * 1024)); fi
free=$(df -Pk -- "$to" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$needed" ] ||
  fail "\"$to\" has $((free / 1024)) MiB free, and $((needed / 1024)) are needed; make room, or back up to another disk"

MCB_DATA_DIR=$data exec "$node" "$app/bin/mcbackend-edge.mjs" backup "$to" --keep "$keep"
