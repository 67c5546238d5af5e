#!/usr/bin/env bash
# Fuzzes every target of every package, one after the other.
set -euo pipefail
GO=${GO:-go}
for pkg in $($GO list ./...); do
	for f in $($GO test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		echo "$pkg $f"
		$GO test -run '^$' -fuzz "^$f\$" -fuzztime "${FUZZTIME:-10s}" "$pkg"
	done
done
