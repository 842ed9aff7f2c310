#!/bin/sh
# The members of each message's structs and the lines of its field tables agree, in name and order
# (message_fields.awk says how).
for header in lib/wire/messages/[0-9]*.h; do
    [ -e "$header" ] || continue
    awk -f tests/lint/message_fields.awk "$header" "${header%.h}.c" || echo "$header:1: see above"
done | awk -v check=messages -f tests/lint/report.awk
