# Connections that are cut again and again under load, by a proxy between the producer and the
# brokers: in the middle of a request, in the middle of an answer, before either. The brokers go on
# all the time, so this is about what a client cannot know: everything that was sent must be
# written, once and in order, although many an answer was lost.
. "$(dirname "$0")/common.sh"

"$kafka" topic cut 6
# One word a route.
"$BUILD/kafka/proxy" --cuts "$CUTS" --every 80 --seed 13 $SLUICE_KAFKA_ROUTES >proxied &
proxy=$!
start_load cut 6 --bootstrap "$SLUICE_KAFKA_PROXIED" --rate "$RATE" --codec zstd --keys --seed 13

await_line proxied "cut enough" "$load"
end_load
kill "$proxy"
wait "$proxy" || fail "the proxy ended badly"
grep '^proxy: ' proxied
verify consume --ledger ledger
audit_nodes cut ledger
