#!/bin/sh
# Includes point one way: each folder of lib/ includes itself and the folders that lib/layers.txt
# names for it, by "folder/file.h"; of the public headers those below api see the two lists of error
# codes; of the system's headers each folder sees what system_headers.txt names for it.
find lib -name '*.[ch]' | sort | xargs awk '
    FILENAME == "lib/layers.txt" && /^[a-z]/ {
        split($0, halves, ":")
        known[halves[1]] = 1
        allow(halves[1], halves[1] " " halves[2])
        next
    }
    FILENAME == "tests/lint/system_headers.txt" && /^[a-z]/ {
        split($0, halves, ":")
        count = split(halves[2], words, " ")
        for (i = 1; i <= count; i++) system_header[halves[1], words[i]] = 1
        next
    }
    !/^[ \t]*#[ \t]*include/ { next }
    {
        split(FILENAME, path, "/")
        folder = path[2]
        header = $0
        sub(/^[^<"]*[<"]/, "", header)
        sub(/[>"].*/, "", header)
        target = header
        sub(/\/.*/, "", target)
        place = FILENAME ":" FNR ": "
        if (target == "sluice") {
            if (folder != "api" && header != "sluice/error.h" && header != "sluice/kafka_errors.h")
                print place folder " may not include the public header " header
        } else if ($0 ~ /</) {
            if (!(("all", header) in system_header) && !((folder, header) in system_header))
                print place "<" header "> is not for " folder " (tests/lint/system_headers.txt)"
        } else if (!(target in known) || index(header, "/") == 0) {
            print place "include \"" header "\" by its path from lib/"
        } else if (!((folder, target) in allowed)) {
            print place folder " may not include " header " (lib/layers.txt)"
        }
    }
    function allow(folder, list,    count, words, i) {
        count = split(list, words, " ")
        for (i = 1; i <= count; i++) allowed[folder, words[i]] = 1
    }' lib/layers.txt tests/lint/system_headers.txt |
    awk -v check=layers -f tests/lint/report.awk
