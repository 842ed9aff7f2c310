# A quota set under load and lifted again: brokers answer late on purpose, and tell the client to
# leave them alone for a while (KIP-219). It must do so (few requests instead of many), show it in
# its metrics, hold its sender back by its memory, and lose nothing.
. "$(dirname "$0")/common.sh"

# now: of the clock that the samples have.
now() { date +%s%3N; }

# Small records and little memory: at the quota's rate all of it is sent long before it expires.
"$kafka" topic throttled 6
start_load throttled 6 --rate 10000 --sizes small --keys --seed 19 --samples samples \
    --set client.id=throttled --set buffer.memory=2000000

sleep 4
free_until=$(now)
"$kafka" quota throttled 50000
# The brokers hear of it, and the requests that are under way end.
sleep 2
held_from=$(now)
sleep "$THROTTLE"
check_load
held_until=$(now)
"$kafka" quota throttled 0
sleep 2
end_load

# Between the first and the last sample of each time: requests a second, and the sum of the throttle.
awk -v free_until="$free_until" -v held_from="$held_from" -v held_until="$held_until" '
    function note(time) {
        if (!(time in first)) { first[time] = $1; requests[time] = $2; throttle[time] = $3 }
        seconds[time] = ($1 - first[time]) / 1000
        asked[time] = $2 - requests[time]
        told[time] = $3 - throttle[time]
    }
    $1 <= free_until { note("free") }
    $1 >= held_from && $1 <= held_until { note("held") }
    END {
        if (seconds["free"] < 1 || seconds["held"] < 2) { print "too few samples"; exit 1 }
        free = asked["free"] / seconds["free"]
        held = asked["held"] / seconds["held"]
        printf "throttle: requests_per_s=%.1f held_requests_per_s=%.1f throttled_ms=%d held_s=%.0f\n",
            free, held, told["held"], seconds["held"]
        if (told["free"] != 0) { print "it was throttled before the quota"; exit 1 }
        if (told["held"] < 1000) { print "the metrics show no throttle"; exit 1 }
        if (held > free / 10) { print "it went on asking"; exit 1 }
    }' samples || fail "see above"
verify consume --ledger ledger
audit_nodes throttled ledger
