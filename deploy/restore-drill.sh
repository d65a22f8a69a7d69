#!/bin/sh
# The drill of a restore: the newest backup on a server of its own. "--help" tells more.
set -eu
app=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
node=$app/node_modules/.bin/node
[ -x "$node" ] || node=$(command -v node) || {
  echo "restore-drill.sh: there is no node; install the server's packages, or Node 20 or newer" >&2
  exit 1
}
exec "$node" "$app/bin/mcbackend-edge.mjs" restore-drill "$@"
