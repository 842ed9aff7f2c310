# Records of arbitrary bytes with keys, headers, timestamps, null and empty values, with every
# codec: our consumer must give every byte back, and the log on the disk of each node must hold
# exactly what was reported, with valid checksums and gapless sequence numbers. At the end the audit
# itself is tried: it has to refuse a dump that lacks, repeats or swaps records.
. "$(dirname "$0")/common.sh"

each=$((RECORDS / 5))
seed=0
for codec in $codecs; do
    topic=bytes-$codec
    "$kafka" topic "$topic" 6
    seed=$((seed + 1))
    keys=()
    [ $((seed % 2)) = 0 ] && keys=(--keys)
    verify produce --topic "$topic" --partitions 6 --count "$each" --sizes mixed --codec "$codec" \
        --seed "$seed" --ledger "$codec.ledger" ${keys[@]+"${keys[@]}"}
    verify consume --ledger "$codec.ledger"
    audit_nodes "$topic" "$codec.ledger" | tee "$codec.audits"
    if [ "$codec" != none ] && grep -q 'compressed=0 ' "$codec.audits"; then
        fail "nothing was compressed with $codec"
    fi
done

"$kafka" dump 1 bytes-none >dump
awk '!(/^\| / && !done++)' dump >spoilt && refuses none.ledger "a lost record" " missing=1 "
awk '{ print } /^\| / && !done++ { print }' dump >spoilt && refuses none.ledger "a duplicate" " duplicates=1 "
awk '/^\| / && n < 2 { row[n++] = $0; if (n == 2) print row[1] "\n" row[0]; next } { print }' \
    dump >spoilt && refuses none.ledger "two records swapped" " misordered=1 "
sed '0,/isvalid: true/s//isvalid: false/' dump >spoilt && refuses none.ledger "a bad checksum"
sed '0,/headerKeys: \[t[0-9]*/s//headerKeys: [t999999999/' dump >spoilt &&
    refuses none.ledger "a foreign record"
