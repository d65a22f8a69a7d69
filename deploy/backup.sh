#!/bin/sh
# A backup of the server's file, and the end of the oldest ones.
set -eu
export LC_ALL=C

usage() {
  cat <<'END'
usage: backup.sh --to FOLDER [--keep N] [--data FOLDER]

Copies a server's file to FOLDER/mcbackend-TIME.sqlite, also while the server writes, and checks the copy. Then the
oldest copies in FOLDER go, until N are left. Where the copy fails, nothing goes.

  --to FOLDER    folder of the backups; it is made where its parent is there
  --keep N       backups that stay, 1 or more       [14]
  --data FOLDER  folder of the server's data        [MCB_DATA_DIR, or ./data]

A copy on the disk of the data must leave MCB_MIN_FREE_MIB [1024] free there: below, the server refuses writes.
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
[ -n "$to" ] || fail "--to is missing: the folder of the backups"
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
  # Left over from one that was killed.
  rm -f -- "$to"/mcbackend-*.sqlite.partial
fi

kib_of() { du -kL -- "$1" | cut -f 1; }
disk_of() { df -Pk -- "$1" | awk 'NR == 2 { print $NF }'; }
needed=$(kib_of "$file")
if [ -f "$file-wal" ]; then needed=$((needed + $(kib_of "$file-wal"))); fi
if [ "$(disk_of "$to")" = "$(disk_of "$data")" ]; then needed=$((needed + ${MCB_MIN_FREE_MIB:-1024} * 1024)); fi
free=$(df -Pk -- "$to" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$needed" ] ||
  fail "\"$to\" has $((free / 1024)) MiB free, and $((needed / 1024)) are needed; make room, or back up to another disk"

target=$to/mcbackend-$(date -u +%Y-%m-%dT%H%M%SZ).sqlite
MCB_DATA_DIR=$data "$node" "$app/bin/mcbackend-edge.mjs" backup "$target"

day='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
time='[0-9][0-9][0-9][0-9][0-9][0-9]'
# The names sort by time.
IFS=
# shellcheck disable=SC2086 # The patterns are to be expanded; the folder's name has no part in that, with IFS empty.
set -- "$to"/mcbackend-${day}T${time}Z.sqlite
while [ $# -gt "$keep" ]; do
  rm -f -- "$1"
  echo "removed $1"
  shift
done
echo "$# of $keep backups in $to"
