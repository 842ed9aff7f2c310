# Puts sources into one file: awk -f mk/amalgamate.awk -v roots="include lib" FILE...
#
# Each FILE follows with the project's own headers in the place of the #include that asks for them
# first; later ones are left out. Names are unique in the whole library (tests/lint/unique.sh), so the
# parts don't meet. "#line" says where the text is from. With -v skip=sluice/ the headers below that
# folder stay #include lines: of the one public header.
BEGIN {
    root_count = split(roots, root, " ")
    for (i = 1; i < ARGC; i++) put(ARGV[i])
}
function find(name,    i, file, line) {
    for (i = 1; i <= root_count; i++) {
        file = root[i] "/" name
        if ((getline line < file) >= 0) {
            close(file)
            return file
        }
    }
    print "mk/amalgamate.awk: there is no " name > "/dev/stderr"
    exit 1
}
function put(file,    line, number, name) {
    number = 0
    printf "#line 1 \"%s\"\n", file
    while ((getline line < file) > 0) {
        number++
        if (line !~ /^#include "/) {
            print line
            continue
        }
        name = line
        sub(/^#include "/, "", name)
        sub(/".*/, "", name)
        if (skip != "" && index(name, skip) == 1) continue
        if (name in seen) continue
        seen[name] = 1
        put(find(name))
        printf "#line %d \"%s\"\n", number + 1, file
    }
    close(file)
}
