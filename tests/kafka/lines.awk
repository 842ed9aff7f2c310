# Lines of text for the console tools: awk -v first=N -v count=N -v keyed=0|1 -f lines.awk
#
# Every line starts with its number, from which a reader can tell the order. Lengths are mixed:
# most under 100 bytes, some of a few thousand, few of tens of thousands. With keyed=1 a line is
# one of a thousand keys, a tab, and the text. Without, one line in a thousand is empty.
#
# Text is cut between words only: an awk that counts bytes would cut a UTF-8 character in two, and
# the console producer replaces what is not UTF-8.
BEGIN {
    phrase = "the quick brown fox naïve café Füße Ωμέγα мир 漢字 かな emoji 🙂 | \\ \" ' & <a> % $x {} ="
    words = split(phrase, word, " ")
    # text holds one word after the other, the n-th of them from place at[n] on.
    for (n = 0; n < 12000; n++) {
        at[n] = length(text) + 1
        text = text word[1 + n % words] " "
    }
    srand(first + 1)
    for (i = first; i < first + count; i++) {
        draw = rand()
        # In words, of about five bytes each.
        if (draw < 0.7) size = int(rand() * 18)
        else if (draw < 0.97) size = 18 + int(rand() * 140)
        else if (draw < 0.9995) size = 140 + int(rand() * 600)
        else size = 600 + int(rand() * 7000)
        start = int(rand() * words)
        if (keyed) printf "key-%d\t", int(rand() * 1000)
        if (!keyed && i % 1000 == 500) print ""
        else printf "%08d %s\n", i, substr(text, at[start], at[start + size] - at[start])
    }
}
