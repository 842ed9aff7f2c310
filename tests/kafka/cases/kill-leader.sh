# kill -9 of a leader under load, again and again, with acks=all and two of three replicas needed:
# everything that was sent must be written, once and in order, by our own reading as by the log on
# the disk of each node.
. "$(dirname "$0")/common.sh"

"$kafka" topic killed 6
start_load killed 6 --rate "$RATE" --codec lz4 --keys --seed 7

sleep 3
for ((round = 0; round < KILLS; round++)); do
    node=$("$kafka" leader killed $((round % 6)))
    echo "round $round: killing node $node"
    "$kafka" kill "$node"
    sleep 5
    "$kafka" restart "$node"
    "$kafka" await-sync killed
    check_load
    sleep 2
done
end_load
echo "kill-leader: kills=$KILLS"
verify consume --ledger ledger
audit_nodes killed ledger
