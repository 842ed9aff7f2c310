# Text lines by our producer, with every codec, keyed and not, all into one log each: Kafka's
# console consumer must print the same lines, in order within each partition.
. "$(dirname "$0")/common.sh"

each=$((RECORDS / 10))
for keyed in 0 1; do
    topic=text-to-java-$keyed
    "$kafka" topic "$topic" 6
    separator=()
    [ "$keyed" = 1 ] && separator=(-k "$tab")
    first=0
    for codec in $codecs; do
        make_lines "$first" "$each" "$keyed" >part
        producer -t "$topic" -z "$codec" ${separator[@]+"${separator[@]}"} part
        cat part >>"sent-$keyed"
        first=$((first + each))
    done
    [ "$("$kafka" count "$topic")" = "$first" ] || fail "$topic does not hold $first records"
    "$kafka" consume "$topic" "$first" ${separator[@]+"$tab"} >"got-$keyed"
    in_order "got-$keyed" $((2 + keyed))
    values_of "got-$keyed" >values
    same_lines "sent-$keyed" values
    echo "text-to-java: records=$first"
done
