# An unclean election: of two replicas one is stopped, records are written to the other, which is killed,
# and the first, which lacks them, leads and gets others. Whoever has read of what is gone notices
# (KIP-320): reading goes on where the log was cut, or with auto.offset.reset=none it is an error; and
# so it is for who begins at an offset that was committed before.
. "$(dirname "$0")/common.sh"

"$kafka" tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$bootstrap" --create \
    --topic truncated --replica-assignment 1:2 --config unclean.leader.election.enable=true \
    --config min.insync.replicas=1

leads() { [ "$("$kafka" leader truncated 0)" = "$1" ]; }
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
await_that 30 leads 1 || fail "node 1 does not lead"

make_lines 0 1000 0 >common
make_lines 1000 500 0 >gone
make_lines 5000 700 0 >instead
producer -t truncated common
"$kafka" stop 2
producer -t truncated gone

# The committed offset lies behind what is going to be gone.
consumer -t truncated -o committed -c 1500 -X group.id=before -X auto.offset.reset=earliest >committed
cat common gone >read
cmp read committed || fail "what was read before"
start_reader() { exec stdbuf -oL "$BUILD/examples/consumer" -b "$bootstrap" -t truncated -X "$1" >"$2" 2>"$2.log"; }
start_reader auto.offset.reset=earliest goes-on &
start_reader auto.offset.reset=none stops &
stops=$!
await_that 30 has_lines goes-on 1500 && await_that 30 has_lines stops 1500 || fail "reading"

"$kafka" kill 1
"$kafka" restart 2
await_that 60 leads 2 || fail "node 2 was not elected"
producer -t truncated instead
await_that 60 has_lines goes-on 2200 || fail "reading on: $(wc -l <goes-on) lines"
cat common gone instead >read
cmp read goes-on || fail "what was read by policy"
await_that 60 is_gone "$stops" || fail "nobody was told"
cat common gone >read
cmp read stops || fail "what was read until it was told"
grep -q 'truncated-0 at offset 1000: the log was cut here' stops.log || fail "told: $(cat stops.log)"

# Who begins at the committed offset is told, or begins where the log was cut.
if consumer -t truncated -o committed -c 700 -X group.id=before -X auto.offset.reset=none 2>told; then
    fail "nobody was told behind a committed offset"
fi
grep -q 'truncated-0 at offset 1000: the log was cut here' told || fail "told: $(cat told)"
consumer -t truncated -o committed -c 700 -X group.id=before -X auto.offset.reset=latest >resumed
cmp instead resumed || fail "what was read behind a committed offset"
echo "truncation: elections=1 written=2200"
"$kafka" restart 1
