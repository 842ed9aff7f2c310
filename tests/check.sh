# What test scripts have in common: sourced, from the root of the repository, by those of tests/host
# and tests/clients. Counts checks, and leaves nothing behind: $scratch is a folder of the test's own,
# $pid a process that it has started and not yet waited for, or empty.
#
#   check WHAT COMMAND...   passed when the command ends with 0; a line when it does not
#   end_checks              the last call of a script: the counts, and its exit status

set -u
BUILD=${BUILD:-build}
scratch=$(mktemp -d) || exit 1
pid=
passed=0
failed=0
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "FAILED: $what"
        failed=$((failed + 1))
    fi
}

end_checks() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
