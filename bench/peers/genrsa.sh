#!/bin/sh
# RSA keys alone, one after another: `openssl genrsa`. usage: genrsa.sh DIRECTORY KEYS
set -eu
mkdir -p "$1"
number=1
while [ "$number" -le "$2" ]; do
    openssl genrsa -out "$1/$number.pem" 2048 2>/dev/null
    number=$((number + 1))
done
