#!/bin/bash
# Runs one test natively, again and again, until it has used SECONDS of CPU time; prints how many runs failed or hung.
# usage: native.sh PACKAGE TARGET TEST SECONDS, as in: native.sh small oneshot receiver_is_polled_once_… 60
set -eu
cd "$(dirname "$0")/$1"
executable=$(cargo test --quiet --no-run --message-format=json --test "$2" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
times=$(mktemp)
trap 'rm -f "$times"' EXIT
runs=0 failures=0 hangs=0 used=0
while [ "$used" -lt "$4" ]; do
    for _ in $(seq 50); do
        code=0
        timeout 5 "$executable" --exact "$3" >/dev/null 2>&1 || code=$?
        runs=$((runs + 1))
        case $code in 0) ;; 124) hangs=$((hangs + 1)) ;; *) failures=$((failures + 1)) ;; esac
    done
    # The last line of `times` is the user and system time of the children, as in `1m2.345s 0m6.789s`. Not in a pipe:
    # the shell of a pipe has other children.
    times >"$times"
    used=$(tail -1 "$times" | awk '{ split($1, u, /[ms]/); split($2, s, /[ms]/); print int(60 * (u[1] + s[1]) + u[2] + s[2]) }')
done
echo "$1 $2 $3: $runs runs, $failures failed, $hangs hung, $used s of CPU"
