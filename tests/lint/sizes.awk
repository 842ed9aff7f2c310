# Lists the functions of formatted C files as "LENGTH FILE LINE NAME": from the first line of the
# signature in column 0 to the brace in column 0 that closes the body.
FNR == 1 { in_body = 0; signature = "" }
in_body {
    if (/^}/) {
        print FNR - start + 1, FILENAME, start, name
        in_body = 0
        signature = ""
    }
    next
}
/^[A-Za-z_]/ { signature = ""; start = FNR }
{ signature = signature $0 }
/[;}]$/ || /^#/ || /^$/ { signature = ""; next }
/{$/ {
    if (signature ~ /\(/ && signature !~ /=/) {
        name = signature
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        in_body = 1
    }
}
