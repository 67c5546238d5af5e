#!/usr/bin/env bash
# Measures the built gateway beside a bare sipgo user agent, Kamailio and rtpengine, and
# prints one table. Arguments go to the program: -rounds 1 -calls 20 -seconds 3
# -parts setup,sip,rest,bridge,features,memory,frames.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
export GO CGO_ENABLED=0
scripts/setup.sh bench
TMPDIR=$(mktemp -d)
export TMPDIR # everything that is written goes here
child=""
clean() {
	if [ -n "$child" ]; then
		kill "$child" 2>/dev/null || true # its own children end with it
		wait "$child" 2>/dev/null || true
	fi
	rm -rf "$TMPDIR"
}
trap clean EXIT
trap 'exit 130' INT TERM
export CALLBOX_BINARY=${CALLBOX_BINARY:-$PWD/bin/callbox}
$GO test -c -tags bench -o "$TMPDIR/compare" ./cmd/callbox/bench
"$TMPDIR/compare" -test.timeout 20m "$@" &
child=$!
wait "$child"
child=""
