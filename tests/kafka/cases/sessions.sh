# What the cases share that keep sessions alive; they read it after common.sh.

# keep TOPIC NAME=VALUE...: a producer under load and a group of two with these settings, for $seconds.
# Nothing may be lost and nobody refused. Leaves in `renewed` and `ended` how many sessions were authenticated
# anew, and how many connections the brokers closed; what the members said is in a.err and b.err.
keep() {
    local topic=$1 option sets=() options=() a b
    shift
    for option in "$@"; do
        sets+=(--set "$option")
        options+=(-X "$option")
    done
    "$kafka" topic "$topic" 6
    for name in a b; do
        "$BUILD/examples/group" -b "$bootstrap" -g "$topic" -t "$topic" "${options[@]}" \
            -X log.level=debug >"$name.out" 2>"$name.err" &
        if [ $name = a ]; then a=$!; else b=$!; fi
    done
    start_load "$topic" 6 --rate 1000 --sizes small --keys --seed 23 "${sets[@]}" 2>load.err
    sleep "$seconds"
    end_load
    verify consume --ledger ledger "${sets[@]}"
    all_is_read() { [ "$(cat a.out b.out | wc -l)" -ge "$("$kafka" count "$topic")" ]; }
    await_that 60 all_is_read || fail "$topic: the group has read $(cat a.out b.out | wc -l)"
    kill -TERM "$a" "$b"
    wait "$a" && wait "$b" || fail "$topic: a member ended badly: $(tail -n 3 ./*.err)"
    ! grep -hE 'refused|authentication failed|there is no token|not renewed|Kerberos' load.err a.err b.err ||
        fail "$topic: see above"
    renewed=$(cat a.err b.err | grep -c 'authenticated anew' || true)
    ended=$(cat a.err b.err | grep -c 'closed the connection' || true)
    echo "$(basename "$0" .sh): run=$topic seconds=$seconds renewed=$renewed ended=$ended records=$("$kafka" count "$topic")"
}

# check_renewals: brokers end sessions after ten seconds, and two members have three connections each at least.
#
# The client renews a session half a second before its end at the latest. A broker that stands still
# for longer reads a request that left in time after the end, and hangs up ("Disconnecting expired
# channel" in its log at debug level, with a heartbeat or a Produce; seen when brokers are frozen for
# 1.2 s, and on machines that pause). Nothing is lost by it, but it must not be the rule.
check_renewals() {
    [ "$renewed" -ge "$((seconds / 10 * 6))" ] || fail "only $renewed sessions were renewed"
    [ "$ended" -le "$((renewed / 3))" ] || fail "$ended connections ended, $renewed were renewed"
}

# refused WORDS NAME=VALUE...: a producer that is told why it cannot log in, and shows no password.
refused() {
    local words=$1 option options=()
    shift
    for option in "$@"; do options+=(-X "$option"); done
    ! echo line | timeout 8 "$BUILD/examples/producer" -b "$bootstrap" -t refused -X log.level=info \
        -X delivery.timeout.ms=3000 -X request.timeout.ms=2000 "${options[@]}" >refused.out 2>&1 ||
        fail "it was not refused: $*"
    grep -q -- "$words" refused.out || fail "no '$words' in: $(cat refused.out)"
    ! grep -q eraser refused.out || fail "the password is in: $(cat refused.out)"
}
