#!/usr/bin/env bash
# Runs the unit tests of the named packages as ARM programs under qemu-user.
set -euo pipefail
GO=${GO:-go}
export CGO_ENABLED=0 GOOS=linux
echo "arm v6"
CALLBOX_TEST_RUNNER=qemu-arm-static GOARCH=arm GOARM=6 $GO test -p 1 -exec qemu-arm-static "$@"
echo "arm64"
CALLBOX_TEST_RUNNER=qemu-aarch64-static GOARCH=arm64 $GO test -p 1 -exec qemu-aarch64-static "$@"
