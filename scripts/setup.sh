#!/usr/bin/env bash
# Installs the Debian packages that the demo and the tests need, when missing;
# with "bench", those of the benchmarks instead.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin # where only root looks by itself

# program:package
need=(espeak-ng:espeak-ng sox:sox sipp:sip-tester baresip:baresip-core
	qemu-arm-static:qemu-user-static gcc:gcc node:nodejs npm:npm
	ip:iproute2 iptables:iptables)
[ "${1:-}" = bench ] && need=(rtpengine:rtpengine-daemon)

missing=()
for n in "${need[@]}"; do
	command -v "${n%%:*}" >/dev/null 2>&1 || missing+=("${n##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "These programs are needed and this machine has no apt-get to install them: ${missing[*]}" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "These Debian packages are missing: ${missing[*]}" >&2
	echo "Install them once as root and run make again:" >&2
	echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=""
trap 'rm -f "$log" $policy' EXIT
# We start programs ourselves: the packages' services must not start by being
# installed (Debian policy §9.3.3.1), nor at the next boot.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get could not install: ${missing[*]}" >&2
	exit 1
fi
if [ "${1:-}" = bench ]; then
	update-rc.d rtpengine-daemon disable >/dev/null 2>&1 || true
fi
