#!/bin/sh
# Prints the objects of the sources that lib/ has now: not those that a removed file left behind.
find lib -name '*.c' | sort | while read -r source; do
    object=${BUILD:-build}/obj/${source%.c}.o
    [ ! -e "$object" ] || echo "$object"
done
