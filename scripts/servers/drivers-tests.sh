#!/bin/sh
# Prints the folder that has the drivers' own tests of BSON and of change streams: they come with the Go driver's module. It takes Go and the network.
set -eu

version=v1.17.10

if ! command -v go >/dev/null; then
  echo 'there is no Go to download them with: these tests are skipped' >&2
  exit
fi

source=$(go mod download -json "go.mongodb.org/mongo-driver@$version" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
[ -n "$source" ] || exit 1
echo "$source/testdata"
