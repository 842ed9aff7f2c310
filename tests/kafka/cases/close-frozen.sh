# close with a deadline of 3 s while every broker is frozen (SIGSTOP): it must return by then, from
# a client in the middle of its work and from one that never reached anyone, and every accepted
# record must have its report. When the brokers go on, the log must bear out what was reported.
. "$(dirname "$0")/common.sh"

"$kafka" topic frozen 6
names=() pids=()
trap '"$kafka" thaw || true; kill -KILL "${pids[@]}" 2>/dev/null || true' EXIT

# begin NAME ARGUMENT...: starts verify close-frozen and waits until it is ready.
begin() {
    local name=$1
    shift
    mkfifo "$name.in"
    become_verify close-frozen --topic frozen --partitions 6 --count 300000 --seed 5 \
        --close-ms 3000 "$@" <"$name.in" >"$name.out" 2>"$name.err" &
    pids+=($!)
    names+=("$name")
    # Opened for both directions: neither side waits for the other, and there is no early end.
    exec {fd}<>"$name.in"
    inputs+=("$fd")
    await_line "$name.out" ready "${pids[-1]}"
}

inputs=()
begin producer --role producer --ledger producer.ledger
begin fresh-producer --role producer --fresh
begin consumer --role consumer
begin fresh-consumer --role consumer --fresh
"$kafka" freeze
for fd in "${inputs[@]}"; do echo go >&"$fd"; done
status=0
for i in "${!pids[@]}"; do
    wait "${pids[i]}" || status=1
    cat "${names[i]}.out" "${names[i]}.err"
done
"$kafka" thaw
[ $status = 0 ] || fail "a client did not close as it should"
grep -q 'written=0 not_written=[1-9]' fresh-producer.out || fail "a fresh producer wrote something"

verify consume --ledger producer.ledger
audit_nodes frozen producer.ledger
