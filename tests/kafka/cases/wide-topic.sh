# A topic of 300 partitions under load, with brokers killed meanwhile, each of which leads a third of
# them: many small batches a request, and a hundred leaders to find again at once.
. "$(dirname "$0")/common.sh"

kills=$((KILLS / 4))
"$kafka" topic wide 300
start_load wide 300 --rate "$RATE" --codec lz4 --keys --seed 23

sleep 5
for ((round = 0; round < kills; round++)); do
    node=$("$kafka" leader wide $((round * 7 % 300)))
    echo "round $round: killing node $node"
    "$kafka" kill "$node"
    sleep 5
    "$kafka" restart "$node"
    "$kafka" await-sync wide
    check_load
done
end_load
echo "wide-topic: partitions=300 kills=$kills"
verify consume --ledger ledger
audit_nodes wide ledger
