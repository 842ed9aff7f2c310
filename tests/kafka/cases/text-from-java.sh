# Text lines by Kafka's console producer, with every codec, keyed and not: our consumer must print
# the same lines, in order within each partition; and for each key our producer must choose the
# partition that Kafka's did.
. "$(dirname "$0")/common.sh"

each=$((RECORDS / 10))
for keyed in 0 1; do
    topic=text-from-java-$keyed
    "$kafka" topic "$topic" 6
    separator=() format='%p\t%v\n'
    [ "$keyed" = 1 ] && separator=("$tab") && format='%p\t%k\t%v\n'
    first=0
    for codec in $codecs; do
        make_lines "$first" "$each" "$keyed" >part
        "$kafka" produce "$topic" "$codec" ${separator[@]+"${separator[@]}"} <part
        cat part >>"sent-$keyed"
        first=$((first + each))
    done
    consumer -t "$topic" -o beginning -e -f "$format" >"got-$keyed"
    in_order "got-$keyed" $((2 + keyed))
    values_of "got-$keyed" >values
    same_lines "sent-$keyed" values
    echo "text-from-java: records=$first"
done

"$kafka" topic same-partitions 6
cut -f 2 got-1 | sort -u | sed "s/\$/$tab/" >keys
producer -t same-partitions -k "$tab" keys
cut -f 1,2 got-1 | sort -u >java
consumer -t same-partitions -o beginning -e -f '%p\t%k\n' | sort >ours
cmp java ours || fail "a key goes to another partition than in Kafka's own client"
