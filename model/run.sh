#!/bin/sh
# Checks lock.pml: the sound configurations must be searched to the end without an error, and each mutation must
# break the property that it is listed with. Prints one line a run; exits 1 if any is not as expected.
#
#   model/run.sh            about three minutes, 1 GB
#   model/run.sh --deep     larger ones too: about 20 minutes, 3 GB
set -u

die() { echo "model/run.sh: $*" >&2; exit 2; }

deep=no
case "${1-}" in
  '') ;;
  --deep) deep=yes ;;
  *) die "unknown argument '$1'; the only one is --deep" ;;
esac
CC=${CC:-cc}
command -v spin >/dev/null 2>&1 || die 'spin is missing. Install it: apt-get install spin'
command -v "$CC" >/dev/null 2>&1 || die "the C compiler '$CC' is missing. Install it: apt-get install gcc"

model=$(cd "$(dirname "$0")" && pwd)/lock.pml
work=$(mktemp -d "${TMPDIR:-/tmp}/lock-model.XXXXXX") || die 'no temporary directory'
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work" || exit 2

failed=0
runs=0

# line NAME STATES VERDICT; the verdict begins with "ok" or the run counts as failed
line() {
  runs=$((runs + 1))
  case "$3" in ok*) ;; *) failed=$((failed + 1)) ;; esac
  printf '%-62s %10s  %s\n' "$1" "$2" "$3"
}

# search PAN_OPTIONS MODEL_OPTIONS...: leaves out.txt, $states, $errors
search() {
  options=$1; shift
  rm -f -- *
  states=-; errors=-
  # shellcheck disable=SC2086 # options are lists of words
  spin -a "$@" "$model" >out.txt 2>&1 &&
    "$CC" -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=5500 -o pan pan.c >>out.txt 2>&1 &&
    ./pan -m1000000 $options >out.txt 2>&1 || return 1
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out.txt)
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out.txt)
  [ -n "$errors" ]
}

sound() {
  if ! search '' "$@"; then
    verdict="FAILED to run: $(tail -n 1 out.txt)"
  elif [ "$errors" != 0 ]; then
    verdict="FAILED: $(sed -n 's/^pan:1: //p' out.txt | head -n 1)"
  elif grep -q 'Search not completed\|search depth too small' out.txt; then
    verdict='FAILED: search truncated'
  else
    verdict='ok, complete'
  fi
  line "$(echo "$*" | sed 's/-D//g')" "${states:--}" "$verdict"
}

# mutation PROPERTY SWITCH MODEL_OPTIONS...: only errors of that property count
mutation() {
  property=$1; switch=$2; shift 2
  quiet=-DNO_INVARIANTS
  case "$property" in
    asleep)     ignore=-A; wanted='invalid end state' ;;          # nobody sleeps for ever
    owners)     ignore=-E; wanted='owner==me\|cs==0' ;;           # one owner
    lost)       ignore=-E; wanted='must' ;;                       # an abandonment is told
    twice)      ignore=-E; wanted='due' ;;                        # and told once
    invariant)  ignore=-E; wanted='assertion'; quiet=-DINVARIANTS ;;
  esac
  if ! search "$ignore" "$@" "$quiet" "-D$switch"; then
    verdict="FAILED to run: $(tail -n 1 out.txt)"
  elif [ "$errors" = 0 ]; then
    verdict="FAILED: not found"
  elif grep '^pan:1:' out.txt | grep -q "$wanted"; then
    verdict="ok, found ($property)"
  else
    verdict="FAILED: found something else: $(sed -n 's/^pan:1: //p' out.txt | head -n 1)"
  fi
  line "$switch $(echo "$*" | sed 's/-D//g')" "${states:--}" "$verdict"
}

echo 'Sound:'
sound -DN=2 -DROUNDS=2 -DDEATHS=2 -DBIRTHS=1 -DGIVEUPS=2 -DFAIRS=1
sound -DN=3 -DROUNDS=2 -DDEATHS=0 -DGIVEUPS=1 -DFAIRS=1
sound -DN=3 -DROUNDS=1 -DDEATHS=1 -DBIRTHS=1 -DGIVEUPS=1
sound -DN=2 -DROUNDS=1 -DDEATHS=2 -DBIRTHS=1 -DREAPERS=2
sound -DN=3 -DROUNDS=1 -DDEATHS=1 -DREAPERS=2
sound -DN=3 -DROUNDS=2 -DDEATHS=1
sound -DN=3 -DROUNDS=1 -DDEATHS=1 -DUNLINKS=1
sound -DN=2 -DROUNDS=2 -DDEATHS=1 -DSTOPS=1 -DLAPSES=2 -DFAIRS=1 -DGIVEUPS=1
sound -DN=3 -DROUNDS=2 -DDEATHS=0 -DSTOPS=1 -DFAIRS=1
sound -DN=3 -DROUNDS=1 -DDEATHS=1 -DSTOPS=2 -DLAPSES=1
sound -DN=4 -DROUNDS=1 -DDEATHS=0 -DSTOPS=3

if [ $deep = yes ]; then
  echo 'Sound, deep:'
  sound -DN=2 -DROUNDS=3 -DDEATHS=3 -DBIRTHS=2 -DGIVEUPS=2 -DFAIRS=1
  sound -DN=3 -DROUNDS=1 -DDEATHS=2 -DBIRTHS=1 -DGIVEUPS=1
  sound -DN=3 -DROUNDS=1 -DDEATHS=3 -DGIVEUPS=1
  sound -DN=3 -DROUNDS=1 -DDEATHS=1 -DBIRTHS=1 -DREAPERS=2
  sound -DN=3 -DROUNDS=1 -DDEATHS=2 -DREAPERS=2
  sound -DN=3 -DROUNDS=2 -DDEATHS=2
  sound -DN=3 -DROUNDS=2 -DDEATHS=1 -DUNLINKS=1
  sound -DN=3 -DROUNDS=2 -DDEATHS=1 -DGIVEUPS=1
  sound -DN=3 -DROUNDS=2 -DDEATHS=1 -DSTOPS=1 -DLAPSES=1
  sound -DN=3 -DROUNDS=2 -DDEATHS=0 -DSTOPS=2 -DLAPSES=1 -DFAIRS=1
  sound -DN=4 -DROUNDS=1 -DDEATHS=0 -DSTOPS=3 -DLAPSES=1 -DFAIRS=1
  sound -DN=4 -DROUNDS=1 -DDEATHS=1
  sound -DN=4 -DROUNDS=1 -DDEATHS=1 -DSTOPS=1
fi

echo 'Broken on purpose:'
mutation owners    M_REUSE_EARLY         -DN=2 -DBIRTHS=1
mutation owners    M_REAP_UNVERIFIED     -DN=2 -DBIRTHS=1 -DREAPERS=2
mutation asleep    M_REUSE_EARLY         -DN=2 -DBIRTHS=1
mutation asleep    M_NO_WAKE             -DN=2
mutation asleep    M_K_STAYS             -DN=3
mutation asleep    M_ENQUEUE_KEEPS_K     -DN=3 -DROUNDS=2 -DDEATHS=0 -DSTOPS=1
mutation asleep    M_NOTE_BLIND          -DN=3
mutation asleep    M_SLEEP_BLIND         -DN=2 -DDEATHS=0
mutation asleep    M_NO_FIX              -DN=3
mutation asleep    M_NO_REPAIR           -DN=3 -DROUNDS=2 -DUNLINKS=1
mutation asleep    M_NO_RERING           -DN=2
mutation asleep    M_RERING_LISTED       -DN=3 -DROUNDS=2 -DUNLINKS=1
mutation asleep    M_CANCEL_DROPS_WOKEN  -DN=3 -DROUNDS=2 -DDEATHS=0 -DGIVEUPS=1
mutation asleep    M_REPAIR_KEEPS_QUEUE  -DN=3 -DROUNDS=2 -DUNLINKS=1
mutation asleep    M_RERING_NOT_GONE     -DN=3 -DROUNDS=2 -DUNLINKS=1
mutation asleep    M_NO_LAPSE            -DN=3 -DDEATHS=0 -DSTOPS=1
mutation asleep    M_HAND_OVER           -DN=3 -DDEATHS=0 -DSTOPS=1 -DFAIRS=1
mutation asleep    M_LAPSE_KEEPS_K       -DN=3 -DROUNDS=2 -DDEATHS=0 -DSTOPS=1
mutation asleep    M_LAPSE_KEEPS_O       -DN=2 -DROUNDS=2 -DDEATHS=0 -DSTOPS=1 -DFAIRS=1
mutation asleep    M_LAPSE_WAKES_NOBODY  -DN=3 -DDEATHS=0 -DSTOPS=1
mutation lost      M_REAP_FORGETS        -DN=2
mutation lost      M_ABORT_FORGETS       -DN=2 -DGIVEUPS=1
mutation twice     M_A_STAYS             -DN=2 -DROUNDS=2
mutation twice     M_HAND_OVER           -DN=2 -DFAIRS=1
mutation invariant M_K_STAYS             -DN=3
mutation invariant M_FAST_WITH_TICKET    -DN=3
mutation invariant M_A_STAYS             -DN=2
mutation invariant M_REAP_KEEPS_S        -DN=3
mutation invariant M_LAPSE_KEEPS_O       -DN=2 -DDEATHS=0 -DSTOPS=1 -DFAIRS=1

if [ $failed != 0 ]; then
  echo "$failed of $runs runs not as expected"
  exit 1
fi
echo "all $runs runs as expected"
