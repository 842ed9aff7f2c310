# A topic that is deleted and made again under load, again and again. What was written before is gone
# for readers, but not from the disks: in each of the logs that the topic has had, everything must be
# there once and in order, and every record in the one that its report speaks of. A record whose
# request named a topic that went may be maybe written, but no record is given up as not written.
. "$(dirname "$0")/common.sh"

"$kafka" topic remade 6
start_load remade 6 --rate "$RATE" --codec lz4 --keys --seed 17 \
    --any-outcome --set allow.auto.create.topics=false

for ((round = 0; round < REMAKES; round++)); do
    sleep 2
    echo "round $round: deleting the topic"
    "$kafka" delete remade
    "$kafka" topic remade 6
    check_load
done
sleep 2
end_load
grep -q ' not_written=0 ' produced || fail "records were given up"
# Where requests give topics by id, none can have reached a later topic, and all are written.
case $SLUICE_KAFKA_VERSION in
    3.* | 4.0.*) ;;
    *) grep -q ' maybe_written=0 ' produced || fail "records were given up as maybe written" ;;
esac
echo "remake-topic: remakes=$REMAKES"
audit_nodes remade ledger | tee audits
[ "$(grep -c "logs=$((6 * (REMAKES + 1))) " audits)" = 3 ] || fail "not every log was audited"

"$kafka" dump 1 remade >dump
awk '/^Dumping / { n++ } n != 1' dump >spoilt && refuses ledger "a lost log"
awk '/^Dumping / { n++ }
    n == 1 { again = again $0 "\n" }
    n == 2 && !done++ { sub("-delete/", "a-delete/", again); printf "%s", again }
    { print }' dump >spoilt && refuses ledger "a log written twice"
