# A man page from what a program prints with --help: awk -f mk/man1.awk -v name=NAME -v version=VERSION
{
    gsub(/\\/, "\\e")
    gsub(/-/, "\\-")
    sub(/^[.']/, "\\\\\\&&")
    line[NR] = $0
}
END {
    what = name == "sluice-broker" ? "a Kafka test cluster in one process" : "shows what settings of sluice come to"
    printf ".TH %s 1 \"\" \"sluice %s\" \"sluice\"\n.SH NAME\n%s \\- %s\n", toupper(name), version, name, what
    print ".SH SYNOPSIS\n.nf"
    for (i = 1; i <= NR && line[i] != ""; i++) print line[i]
    print ".fi\n.SH DESCRIPTION\n.nf"
    for (; i <= NR; i++) print line[i]
    print ".fi\n.SH SEE ALSO\n.BR sluice (3)"
}
