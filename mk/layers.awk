# Prints, for every folder of lib/layers.txt, the folders it may use directly or through others,
# itself first, as make assignments without spaces: below_core:=core,base,record,wire
# A folder may only name folders above it in the file, so one pass closes the relation.
/^[a-z]/ {
    split($0, halves, ":")
    folder = halves[1]
    count = split(halves[2], direct, " ")
    below[folder] = folder
    for (i = 1; i <= count; i++) {
        found = split(below[direct[i]], further, ",")
        for (j = 1; j <= found; j++)
            if (index("," below[folder] ",", "," further[j] ",") == 0)
                below[folder] = below[folder] "," further[j]
    }
    print "below_" folder ":=" below[folder]
}
