# A rolling restart of all three nodes under load, as an operator does it: each is stopped in order,
# started again, and back in sync before the next one goes. Everything that was sent must be written,
# once and in order.
. "$(dirname "$0")/common.sh"

"$kafka" topic rolled 6
start_load rolled 6 --rate "$RATE" --codec snappy --keys --seed 11

sleep 2
for ((roll = 0; roll < ROLLS; roll++)); do
    for node in 1 2 3; do
        echo "roll $roll: restarting node $node"
        "$kafka" stop "$node"
        "$kafka" restart "$node"
        "$kafka" await-sync rolled
        check_load
    done
done
end_load
echo "rolling-restart: restarts=$((3 * ROLLS))"
verify consume --ledger ledger
audit_nodes rolled ledger
