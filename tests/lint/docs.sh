#!/bin/sh
# The comment blocks of the public headers (docs.awk says what they must have).
find include/sluice -name '*.h' | sort | xargs awk -f tests/lint/docs.awk |
    awk -v check=docs -f tests/lint/report.awk
