#!/usr/bin/env bash
# Trains the model of the answering machine detection and writes its table,
# media/amd/model.go. The same programs give the same table, bit for bit, on amd64.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh voices
${GO:-go} run ./cmd/amdbench train media/amd/model.go "$@"
