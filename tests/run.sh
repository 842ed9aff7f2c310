#!/bin/sh
# Runs tests, each as a process of its own under a timeout, and counts.
#
#   sh tests/run.sh [--broken WHAT] --group NAME --timeout SECONDS TEST... [--group ...]
#
# A TEST is a program with its arguments as one word, or a script ending in .sh. One line is printed
# for each, its whole output only when it fails. A program that is missing (it did not build) is a
# failure, and so is --broken: something else did not build, whose old program may be tested below.
# The last line is "N passed, N failed", in cases where the test tells how many it had: by
# cmocka's summary or by such a last line of its own; any other test is one case.
#
# A test that leaves processes behind would disturb the next one, so each runs in a session of its
# own and the session is killed when the test is over.
set -u

if [ -t 1 ]; then green='\033[32m' red='\033[31m' plain='\033[0m'; else green='' red='' plain=''; fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'end_session; exit 130' INT TERM
output=$scratch/output
export BUILD="${BUILD:-build}"

passed=0
failed=0
failed_names=
group=tests
limit=60

# Prints "PASSED FAILED" as the output of a test tells them, or nothing.
cases_of() {
    awk '
        /^\[  PASSED  \] [0-9]+ test/ { cmocka = 1; ok += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { cmocka = 1; bad += $4 }
        /^[0-9]+ passed, [0-9]+ failed$/ { summary = 1; last_ok = $1; last_bad = $3 }
        END {
            if (summary) print last_ok, last_bad
            else if (cmocka) print ok + 0, bad + 0
        }' "$output"
}

milliseconds() {
    case $(date +%N) in
    *N* | '') echo "$(date +%s)000" ;;
    *) date +%s%N | sed 's/......$//' ;;
    esac
}

# The shell that a script asks for in its first line.
shell_of() {
    case $(head -n 1 "$1" 2>/dev/null) in
    '#!'*bash) echo bash ;;
    *) echo sh ;;
    esac
}

session=
end_session() {
    [ -n "$session" ] && kill -KILL "-$session" 2>/dev/null
    session=
}

# timeout kills what ignores its first signal; in the foreground it stays in the session's group.
run_limited() {
    if command -v setsid >/dev/null 2>&1; then
        setsid timeout --foreground -k 5 "$limit" sh -c "$1" >"$output" 2>&1 </dev/null &
        session=$!
        wait "$session"
        ended=$?
        end_session
        return $ended
    fi
    timeout -k 5 "$limit" sh -c "$1" >"$output" 2>&1 </dev/null
}

run_one() {
    name=$1
    program=${1%% *}
    case $program in
    *.sh) command_line="exec $(shell_of "$program") $1" ;;
    */*) command_line="exec $1" ;;
    *) command_line=$1 ;;
    esac
    began=$(milliseconds)
    if [ "${program%/*}" != "$program" ] && [ ! -e "$program" ]; then
        echo "$program is not there: it did not build" >"$output"
        code=127
    else
        run_limited "$command_line"
        code=$?
    fi
    took=$(($(milliseconds) - began))
    set -- $(cases_of)
    good=${1:-0}
    bad=${2:-0}
    [ $# -eq 0 ] && [ "$code" -eq 0 ] && good=1
    [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    seconds=$(printf '%d.%03d' $((took / 1000)) $((took % 1000)))
    if [ "$bad" -eq 0 ] && [ "$code" -eq 0 ]; then
        printf "${green}ok${plain}    %-9s %4d  %8s s  %s\n" "$group" "$good" "$seconds" "$name"
        return
    fi
    why="exit $code"
    [ "$code" -eq 124 ] || [ "$code" -eq 137 ] && why="out of time after $limit s"
    [ "$code" -eq 0 ] && why="its own count"
    printf "${red}FAIL${plain}  %-9s %4d  %8s s  %s (%s)\n" "$group" "$bad" "$seconds" "$name" "$why"
    sed 's/^/    | /' "$output"
    failed_names="$failed_names $program"
}

while [ $# -gt 0 ]; do
    case $1 in
    --group) group=$2 && shift 2 ;;
    --timeout) limit=$2 && shift 2 ;;
    --broken)
        failed=$((failed + 1))
        failed_names=" $2"
        shift 2
        ;;
    *) run_one "$1" && shift ;;
    esac
done
[ -n "$failed_names" ] && echo "failed:$failed_names"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
