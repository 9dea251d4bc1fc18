#!/bin/sh
# What people write without a tool: openssl genpkey, req and x509 for each leaf, one after another.
# usage: openssl_shell.sh DIRECTORY LEAVES
set -eu
mkdir -p "$1"
cd "$1"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key 2>/dev/null ||
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key
openssl req -new -x509 -key ca.key -subj '/O=Bench/CN=Bench Issuing' -days 900 -out ca.pem
number=1
while [ "$number" -le "$2" ]; do
    name="node-$number.bench.example"
    mkdir "node-$number"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "node-$number/key.pem"
    openssl req -new -key "node-$number/key.pem" -subj "/C=SE/O=Bench/CN=$name" \
        -addext "subjectAltName=DNS:$name" -out "node-$number/request.pem"
    openssl x509 -req -in "node-$number/request.pem" -CA ca.pem -CAkey ca.key -copy_extensions copy \
        -days 90 -out "node-$number/cert.pem" 2>/dev/null
    number=$((number + 1))
done
