//go:build !race

package srtp

const racing = false
