# Prints the code of C files as FILE:LINE:CODE, without comments and without the insides of strings,
# so that a check by words sees code only. Lines without code are left out.
FNR == 1 { in_comment = 0 }
{
    text = $0
    out = ""
    length_of_text = length(text)
    for (i = 1; i <= length_of_text; i++) {
        char = substr(text, i, 1)
        pair = substr(text, i, 2)
        if (in_comment) {
            if (pair == "*/") { in_comment = 0; i++ }
        } else if (quote != "") {
            if (char == "\\") i++
            else if (char == quote) { out = out char; quote = "" }
        } else if (pair == "/*") {
            in_comment = 1
            out = out " "
            i++
        } else if (pair == "//") {
            break
        } else {
            if (char == "\"" || char == "'") quote = char
            out = out char
        }
    }
    quote = ""
    if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
}
