# Brokers in racks, whose leaders send consumers to the follower in theirs (KIP-392): all is read, and
# nearly all of it from the broker in the consumer's rack, whoever leads. Then that broker is killed,
# which leaders notice seconds later and go on naming it until then: all is read from the others.
. "$(dirname "$0")/common.sh"

"$kafka" topic follower 6
verify produce --topic follower --partitions 6 --count $((RECORDS / 10)) --sizes mixed --seed 23 \
    --ledger ledger
"$kafka" await-sync follower

verify consume --ledger ledger --set client.rack=rack-2 | tee consumed
awk '{
    for (i = 1; i <= NF; i++)
        if (split($i, word, "=") == 2 && word[1] ~ /^bytes_from_/) { sum += word[2]; from[word[1]] = word[2] }
    near = from["bytes_from_2"]
    printf "follower: near_bytes=%d other_bytes=%d\n", near, sum - near
    exit !(near > 9 * (sum - near))
}' consumed || fail "the broker in the rack served too little"

"$kafka" kill 2
verify consume --ledger ledger --set client.rack=rack-2 | tee consumed
if grep -q ' bytes_from_2=[1-9]' consumed; then fail "a dead broker served"; fi
"$kafka" restart 2
