#!/bin/sh
# Builds FerretDB 1 into the user's cache folder, once; the test matrix runs it as a source. It takes Go and the network.
set -eu

version=v1.24.2
folder=${XDG_CACHE_HOME:-$HOME/.cache}/mongo2pg
program=$folder/ferretdb-$version

if [ -x "$program" ]; then
  echo "FerretDB $version is built already"
  exit
fi
if ! command -v go >/dev/null; then
  echo "there is no Go to build FerretDB $version with: what is tested on it is left out"
  exit
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/build-XXXXXX")
# The module cache is read-only, and so is a copy of it.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

cd "$work"
go mod download -json "github.com/FerretDB/FerretDB@$version" >download.json
source=$(sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p' download.json)
cp -R "$source" source
chmod -R u+w source
cd source
# A release has this file from its build script, and does not start without it.
echo "$version" >build/version/version.txt
go build -buildvcs=false -trimpath -tags ferretdb_no_postgresql -o "$work/ferretdb" ./cmd/ferretdb
# Renamed when whole, so that one that was stopped half-way is never taken for it.
mv "$work/ferretdb" "$program"
echo "FerretDB $version is built"
