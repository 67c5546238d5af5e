#!/usr/bin/env bash
# Builds the static binaries for the boxes and refuses any above the limit.
set -euo pipefail
GO=${GO:-go}
limit=$((25 * 1024 * 1024))
export CGO_ENABLED=0 GOOS=linux
mkdir -p dist
bad=0
for target in arm64 arm:7 arm:6 amd64; do
	arch=${target%%:*}
	goarm=""
	name=callbox-linux-$arch
	if [ "$arch" != "$target" ]; then
		goarm=${target##*:}
		name=${name}v$goarm
	fi
	GOARCH=$arch GOARM=$goarm $GO build -trimpath -ldflags "${LDFLAGS:--s -w}" -o "dist/$name" ./cmd/callbox
	size=$(stat -c %s "dist/$name")
	printf '%-24s %6.1f MB\n' "$name" "$(echo "$size" | awk '{print $1/1048576}')"
	if [ "$size" -gt "$limit" ]; then
		echo "dist/$name is above the limit of 25 MB" >&2
		bad=1
	fi
done
exit $bad
