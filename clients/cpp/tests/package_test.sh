#!/bin/sh
# The newcomer's ways in, each in an empty folder: install and find_package, FetchContent, and the example in Stan.
set -eu

usage() {
  cat <<'END'
Usage: package_test.sh FOLDER [BUILD]

Installs the library below FOLDER, and builds and runs the examples against it as README.md says. With BUILD, the folder of a
build of the library, that one is installed; else it is compiled.

MCB_NODE                     Node, to start a server of this checkout (else the checkout's own, or that of the path)
MCBACKEND_STAN_TOOLCHAIN     Stan, for examples/eight_schools (scripts/stan_toolchain.py); without it that is left out
END
}

case ${1:-} in
  --help | -h) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
esac

source=$(cd "$(dirname "$0")/.." && pwd)
root=$(cd "$source/../.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
server_pid=

stop() {
  [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
}
trap stop EXIT

say() { printf 'package: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }

# Runs a command whose output matters only when it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "failed: $*"; }
}

# Starts a server of this checkout, and sets MCB_URL. Fails where there is no Node.
start_server() {
  node=${MCB_NODE:-$root/node_modules/.bin/node}
  command -v "$node" >/dev/null 2>&1 || node=node
  command -v "$node" >/dev/null 2>&1 || return 1
  [ -d "$root/node_modules" ] || return 1
  rm -rf "$work/data"
  mkdir "$work/data"
  (cd "$root" && exec env PORT=0 MCB_DATA_DIR="$work/data" "$node" src/node.ts) >"$work/server.log" 2>&1 &
  server_pid=$!
  for _ in $(seq 100); do
    MCB_URL=$(sed -n 's/.*listening on \(http[^ "]*\).*/\1/p' "$work/server.log" | head -n 1)
    [ -z "$MCB_URL" ] || { export MCB_URL; return 0; }
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/server.log" >&2
  fail 'the server has not started'
}

# Runs the example, and checks that it stores its draws.
run_minimal() {
  said=$("$1")
  case $said in
    *' has 1000 draws,'*) ;;
    *) fail "$1 said: $said" ;;
  esac
}

# Without symbols, which cost time and serve nobody here.
build() {
  from=$1 to=$2
  shift 2
  rm -rf "$to"
  quietly cmake -S "$from" -B "$to" -DCMAKE_BUILD_TYPE=None "$@"
  quietly cmake --build "$to"
}

unset MCB_URL
say 'installing'
library=${2:-}
if [ -z "$library" ]; then
  library=$work/library
  build "$source" "$library" -DMCBACKEND_BUILD_TESTS=OFF
fi
rm -rf "$work/prefix"
quietly cmake --install "$library" --prefix "$work/prefix"

say 'find_package'
build "$source/examples/minimal" "$work/found" "-DCMAKE_PREFIX_PATH=$work/prefix"
run_minimal "$work/found/minimal"

say 'FetchContent, with a shared library'
build "$source/examples/minimal" "$work/fetched" "-DMCBACKEND_SOURCE=$source" -DBUILD_SHARED_LIBS=ON
run_minimal "$work/fetched/minimal"
[ -z "$(find "$work/fetched" -name '*_test')" ] || fail 'the tests are built where nobody asked for them'

if start_server; then
  say 'against a server'
  run_minimal "$work/found/minimal"
else
  say 'not against a server: there is no Node, or npm ci was not run'
fi

if [ -z "${MCBACKEND_STAN_TOOLCHAIN:-}" ]; then
  say 'not examples/eight_schools: MCBACKEND_STAN_TOOLCHAIN is not set'
elif [ -z "${MCB_URL:-}" ]; then
  say 'not examples/eight_schools: there is no server'
else
  say 'examples/eight_schools'
  build "$source/examples/eight_schools" "$work/eight_schools" "-DCMAKE_PREFIX_PATH=$work/prefix" \
    "-DSTAN_TOOLCHAIN=$MCBACKEND_STAN_TOOLCHAIN" -DCMAKE_CXX_FLAGS=-O1
  "$work/eight_schools/eight_schools" "$source/examples/eight_schools/eight_schools.json" >"$work/said" 2>"$work/log" ||
    { cat "$work/log" >&2; fail 'eight_schools has failed'; }
  rid=$(tail -n 1 "$work/said")
  lengths=$(curl -fsS "$MCB_URL/v1/runs/$rid/chains" | grep -o '"length":[0-9]*' | sort | uniq -c | tr -s ' ')
  [ "$lengths" = ' 4 "length":2000' ] || fail "$rid has chains of other lengths: $lengths"
fi
say 'well'
