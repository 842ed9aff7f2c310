# A group whose partitions are assigned by hand: our consumer reads a part and closes, again and
# again, and goes on each time where the last one had come to. What it has committed is what Kafka's
# own tool says of the group; and an offset that the tool sets is where our consumer begins.
. "$(dirname "$0")/common.sh"

topic=commits group=commits-group count=$((RECORDS / 10))

# What the group has committed: "PARTITION OFFSET" lines. A partition of which nothing was read may be
# at its beginning, where auto.offset.reset has led.
committed() {
    group_tool --group "$group" --describe --offsets 2>/dev/null |
        awk -v topic="$topic" '$2 == topic && $4 > 0 { print $3, $4 }' | sort -n
}
# The same, by what was printed: the next offset of each partition that anything was read of.
read_up_to() {
    awk -F '\t' '$2 >= next_of[$1] { next_of[$1] = $2 + 1 } END { for (p in next_of) print p, next_of[p] }' "$@" |
        sort -n
}
go_on() {
    consumer -t "$topic" -o committed -X "group.id=$group" -X auto.offset.reset=earliest \
        -f '%p\t%o\t%v\n' "$@"
}

"$kafka" topic "$topic" 6
make_lines 0 "$count" 0 >sent
producer -t "$topic" sent
for part in 1 2 3; do
    go_on -c $((count / 5)) >"part-$part"
    cat part-* >parts
    committed >kafka-says
    read_up_to parts >we-say
    cmp kafka-says we-say || fail "the group is at $(paste -sd, kafka-says), not $(paste -sd, we-say)"
done
go_on -e >part-4
cut -f 3 part-* >got
same_lines sent got
cut -f 1,3 part-1 part-2 part-3 part-4 >ordered
in_order ordered 2
[ "$(group_tool --group "$group" --describe --offsets 2>/dev/null | awk -v topic="$topic" '$2 == topic { sum += $6 }
    END { print sum + 0 }')" = 0 ] || fail "the group lags behind"

# Ends by being killed while it waits for whoever reads its output: what comes again is what was not
# committed, and nothing is left out.
group=commits-killed
mkfifo slow
(exec "$BUILD/examples/consumer" -b "$bootstrap" -t "$topic" -o committed -X "group.id=$group" \
    -X auto.offset.reset=earliest -X auto.commit.interval.ms=100 -X max.partition.fetch.bytes=20000 \
    >slow) &
exec 9<slow
head -n $((count / 2)) <&9 >/dev/null
sleep 1
kill -KILL $!
exec 9<&-
committed >kafka-says
[ -s kafka-says ] || fail "nothing was committed before the kill"
go_on -e >after
[ -s after ] || fail "all was committed, though not all was read"
awk 'NR == FNR { from[$1] = $2 + 0; next }
    !($1 in seen) { seen[$1] = 1
        if ($2 != from[$1] + 0) {
            print "partition " $1 " began at " $2 ", committed " from[$1] + 0
            exit 1
        }
    }' kafka-says after || fail "a restart began elsewhere"

# The largest partition has more than five records.
largest=$(sort -k 2n we-say | tail -n 1 | cut -d ' ' -f 1)
group_tool --group "$group" --reset-offsets --topic "$topic:$largest" --to-offset 5 --execute >reset
[ "$(go_on -p "$largest" -c 1 | cut -f 2)" = 5 ] ||
    fail "an offset set by Kafka's tool is not where it begins"
