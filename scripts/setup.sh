#!/usr/bin/env bash
# Installs the Debian packages that something needs, when missing: the demo, the
# tests (that is, all of make test), the benchmarks, or the voices that the answering
# machine detection is judged with.
set -euo pipefail
what=${1:-test}
PATH=$PATH:/usr/sbin:/sbin # where only root looks by itself

# program or file:package
case $what in
demo) need=(espeak-ng:espeak-ng) ;;
test) need=(espeak-ng:espeak-ng flite:flite sox:sox sipp:sip-tester baresip:baresip-core
	linphonec:linphone-cli kamailio:kamailio ip:iproute2 iptables:iptables
	qemu-arm-static:qemu-user-static gcc:gcc /usr/include/stdlib.h:libc6-dev
	node:nodejs npm:npm curl:curl svwar:sipvicious chromium:chromium turnserver:coturn minimodem:minimodem) ;;
bench) need=(rtpengine:rtpengine-daemon kamailio:kamailio) ;;
voices) need=(espeak-ng:espeak-ng sox:sox flite:flite text2wave:festival
	/usr/share/festival/voices/italian/lp_diphone/festvox/lp_diphone.scm:festvox-italp16k
	/usr/share/festival/voices/finnish/hy_fi_mv_diphone/festvox/hy_fi_mv_diphone.scm:festvox-suopuhe-mv
	/usr/share/festival/voices/catalan/upc_ca_ona_hts/festvox/upc_ca_ona_hts.scm:festvox-ca-ona-hts
	/usr/share/festival/voices/english/kal_diphone/festvox/kal_diphone.scm:festvox-kallpc16k
	/usr/share/festival/voices/us/cmu_us_slt_arctic_hts/festvox/cmu_us_slt_arctic_hts.scm:festvox-us-slt-hts) ;;
*)
	echo "usage: $0 [demo|test|bench|voices]" >&2
	exit 2
	;;
esac

missing=()
for n in "${need[@]}"; do
	command -v "${n%%:*}" >/dev/null 2>&1 || [ -f "${n%%:*}" ] || missing+=("${n##*:}")
done

install() {
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "Programs of these Debian packages are needed, and this machine has no apt-get to install them: ${missing[*]}" >&2
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "These Debian packages are missing: ${missing[*]}" >&2
		echo "Install them once as root, then run make again:" >&2
		echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	policy=""
	# We start programs ourselves: the packages' services must not start by being
	# installed (Debian policy §9.3.3.1), nor at the next boot.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	trap 'rm -f "$log" $policy' EXIT
	if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "apt-get could not install: ${missing[*]}" >&2
		return 1
	fi
	for service in kamailio rtpengine-daemon coturn; do
		[[ " ${missing[*]} " != *" $service "* ]] || update-rc.d "$service" disable >/dev/null 2>&1 || true
	done
}
[ ${#missing[@]} -eq 0 ] || install

# The tests of hosts with several networks make network namespaces.
if [ "$what" = test ]; then
	as=()
	[ "$(id -u)" -eq 0 ] || as=(--user --map-root-user)
	if ! why=$(unshare --net --mount "${as[@]}" true 2>&1); then
		echo "Note: no network namespaces can be made here ($why)."
		echo "The tests with several networks, a NAT, SRV records or Linphone are left out; run make as root for all."
	fi
fi
