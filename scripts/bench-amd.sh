#!/usr/bin/env bash
# Prints how often the answering machine detection is right, beside the classic
# algorithm on the same clips. Arguments go to the program: --clips 400 --errors.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh voices
${GO:-go} run ./cmd/amdbench table "$@"
