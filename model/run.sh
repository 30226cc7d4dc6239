#!/bin/sh
# Checks lock.pml and permits.pml: the sound configurations must be searched to the end without an error, and each mutation must
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

here=$(cd "$(dirname "$0")" && pwd)
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
  printf '%-72s %10s  %s\n' "$1" "$2" "$3"
}

# search PAN_OPTIONS MODEL_OPTIONS...: leaves out.txt, $states, $errors
search() {
  options=$1; shift
  rm -f -- *
  states=-; errors=-
  # shellcheck disable=SC2086 # options are lists of words
  spin -a "$@" "$here/$model" >out.txt 2>&1 &&
    "$CC" "$optimized" -w -DSAFETY -DCOLLAPSE -DMEMLIM=5500 -o pan pan.c >>out.txt 2>&1 &&
    ./pan -m1000000 $options >out.txt 2>&1 || return 1
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out.txt)
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out.txt)
  [ -n "$errors" ]
}

sound() {
  optimized=-O2
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
  optimized=-O0  # compiling takes longer than searching
  quiet=-DNO_INVARIANTS
  case "$property" in
    asleep)     ignore=-A; wanted='invalid end state' ;;          # nobody sleeps for ever
    owners)     ignore=-E; wanted='owner==me\|cs==0' ;;           # one owner
    lost)       ignore=-E; wanted='must' ;;                       # an abandonment is told
    twice)      ignore=-E; wanted='due' ;;                        # and told once
    invariant)  ignore=-E; wanted='assertion'; quiet=-DINVARIANTS ;;
    # permits.pml checks nothing else then
    stuck)      ignore=''; wanted='assertion\|invalid end state'; quiet=-DONLY=ASLEEP ;;
    holders)    ignore=-E; wanted='assertion'; quiet=-DONLY=HOLDERS ;;
    order)      ignore=-E; wanted='assertion'; quiet=-DONLY=ORDER ;;
    index)      ignore=-E; wanted='assertion'; quiet=-DONLY=INDEX ;;
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

model=lock.pml
echo 'The lock, sound:'
sound -DN=2 -DROUNDS=2 -DDEATHS=1 -DBIRTHS=1 -DGIVEUPS=2 -DFAIRS=1
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
  echo 'The lock, sound, deep:'
  sound -DN=2 -DROUNDS=2 -DDEATHS=2 -DBIRTHS=1 -DGIVEUPS=2 -DFAIRS=1
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

echo 'The lock, broken on purpose:'
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

model=permits.pml
echo 'Permits and sides, sound:'
sound -DWAITS=3 -DPERMITS=2 -DROUNDS=2 -DSTOPS=2 -DDEATHS=1 -DLAPSES=1
sound -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DSTOPS=1 -DDEATHS=2
sound -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DROUNDS=2 -DSTOPS=1 -DLAPSES=1
sound -DWAITS=4 -DPAIRS=2 -DPERMITS=3 -DMOST=2 -DSTOPS=2 -DDEATHS=1 -DLAPSES=2
sound -DWAITS=5 -DPAIRS=1 -DPERMITS=2 -DSTOPS=1 -DLAPSES=1 -DGIVEUPS=1
sound -DRWLOCK -DWAITS=3 -DROUNDS=2 -DUPGRADES=1 -DDOWNGRADES=1 -DSTOPS=1 -DGIVEUPS=1 -DLAPSES=1
sound -DRWLOCK -DWAITS=4 -DPAIRS=1 -DUPGRADES=1 -DDOWNGRADES=1 -DSTOPS=1 -DDEATHS=1
sound -DRWLOCK -DWAITS=4 -DPAIRS=1 -DROUNDS=2 -DUPGRADES=1 -DSTOPS=1
sound -DRWLOCK -DWAITS=4 -DPAIRS=2 -DUPGRADES=1 -DDEATHS=1 -DGIVEUPS=1 -DLAPSES=2

if [ $deep = yes ]; then
  echo 'Permits and sides, sound, deep:'
  sound -DWAITS=3 -DPERMITS=2 -DROUNDS=2 -DSTOPS=2 -DDEATHS=1 -DLAPSES=1 -DGIVEUPS=1
  sound -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DSTOPS=1 -DDEATHS=2 -DGIVEUPS=1
  sound -DWAITS=5 -DPAIRS=1 -DPERMITS=2 -DSTOPS=2 -DLAPSES=1
  sound -DRWLOCK -DWAITS=3 -DROUNDS=2 -DUPGRADES=1 -DDOWNGRADES=1 -DSTOPS=2 -DDEATHS=1 -DGIVEUPS=1 -DLAPSES=1
  sound -DRWLOCK -DWAITS=4 -DPAIRS=1 -DUPGRADES=2 -DDOWNGRADES=1 -DSTOPS=1 -DDEATHS=1
  sound -DRWLOCK -DWAITS=4 -DPAIRS=2 -DUPGRADES=1 -DDEATHS=2 -DGIVEUPS=1 -DLAPSES=1
  sound -DRWLOCK -DWAITS=5 -DPAIRS=1 -DUPGRADES=1 -DSTOPS=2 -DLAPSES=1
fi

echo 'Permits and sides, broken on purpose:'
mutation stuck     M_RELEASE_TELLS_NOBODY   -DWAITS=2
mutation stuck     M_YIELD_TELLS_NOBODY     -DWAITS=4 -DPERMITS=2 -DSTOPS=1
mutation stuck     M_BACK_TELLS_NOBODY      -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DSTOPS=2
mutation stuck     M_LAPSE_TELLS_NOBODY     -DWAITS=3 -DSTOPS=1
mutation stuck     M_CANCEL_TELLS_NOBODY    -DWAITS=3 -DPERMITS=2 -DSTOPS=1 -DGIVEUPS=1
mutation stuck     M_REAP_TELLS_NOBODY      -DWAITS=2 -DDEATHS=1
mutation stuck     M_NO_LAPSE               -DWAITS=3 -DSTOPS=1
mutation stuck     M_NOBODY_BACK            -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DSTOPS=1
mutation stuck     M_LOOK_LAPSES_ITSELF     -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DLAPSES=2
mutation stuck     M_PASSED_COUNTED         -DWAITS=4 -DPERMITS=2 -DSTOPS=1
mutation stuck     M_FIRST_STAYS            -DWAITS=4 -DPAIRS=1 -DPERMITS=2 -DSTOPS=1
mutation holders   M_TOLD_TAKES             -DWAITS=4 -DPERMITS=2 -DSTOPS=1
mutation order     M_IGNORES_BEFORE         -DWAITS=4 -DPERMITS=2 -DSTOPS=1
mutation order     M_NEWCOMER_BARGES        -DWAITS=3 -DPERMITS=2
mutation index     M_PASSED_COUNTED         -DWAITS=3 -DSTOPS=1
mutation index     M_FIRST_STAYS            -DWAITS=4 -DPERMITS=2 -DSTOPS=1
mutation stuck     M_YIELD_TELLS_NOBODY     -DRWLOCK -DWAITS=4 -DSTOPS=1
mutation stuck     M_BACK_TELLS_NOBODY      -DRWLOCK -DWAITS=4 -DPAIRS=1 -DSTOPS=2
mutation stuck     M_LAPSE_TELLS_NOBODY     -DRWLOCK -DWAITS=3 -DSTOPS=1
mutation stuck     M_CANCEL_TELLS_NOBODY    -DRWLOCK -DWAITS=3 -DSTOPS=1 -DGIVEUPS=1
mutation stuck     M_REAP_TELLS_NOBODY      -DRWLOCK -DWAITS=2 -DDEATHS=1
mutation stuck     M_DOWNGRADE_TELLS_NOBODY -DRWLOCK -DWAITS=3 -DDOWNGRADES=1 -DSTOPS=1
mutation stuck     M_LOOK_LAPSES_ITSELF     -DRWLOCK -DWAITS=4 -DPAIRS=1 -DLAPSES=2
mutation stuck     M_PASSED_UPGRADE_KEEPS   -DRWLOCK -DWAITS=3 -DUPGRADES=1 -DSTOPS=1
mutation stuck     M_UPGRADE_STAYS          -DRWLOCK -DWAITS=3 -DUPGRADES=1
mutation stuck     M_TWO_UPGRADES           -DRWLOCK -DWAITS=2 -DUPGRADES=2
mutation holders   M_READ_BESIDE_WRITE      -DRWLOCK -DWAITS=2
mutation holders   M_UPGRADE_BESIDE         -DRWLOCK -DWAITS=2 -DUPGRADES=1
mutation order     M_IGNORES_BEFORE         -DRWLOCK -DWAITS=4 -DSTOPS=1
mutation order     M_NEWCOMER_BARGES        -DRWLOCK -DWAITS=3

if [ $failed != 0 ]; then
  echo "$failed of $runs runs not as expected"
  exit 1
fi
echo "all $runs runs as expected"
