package wire

import (
	"errors"
	"os"
	"syscall"
)

// routeGroups are what the kernel is to tell of (rtnetlink(7)), as a mask:
// interfaces that come and go, addresses, routes and rules of both families.
const routeGroups = 1<<(syscall.RTNLGRP_LINK-1) |
	1<<(syscall.RTNLGRP_IPV4_IFADDR-1) | 1<<(syscall.RTNLGRP_IPV4_ROUTE-1) | 1<<(syscall.RTNLGRP_IPV4_RULE-1) |
	1<<(syscall.RTNLGRP_IPV6_IFADDR-1) | 1<<(syscall.RTNLGRP_IPV6_ROUTE-1) | 1<<(syscall.RTNLGRP_IPV6_RULE-1)

// watchRoutes has the kernel tell of changes of addresses and routes; nil where
// that cannot be had.
func watchRoutes() *os.File {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil
	}
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: routeGroups}); err != nil {
		_ = syscall.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "routes")
}

// watch tells w of changes until f is closed. What the messages say does not
// matter, and whether some were lost (ENOBUFS) neither.
func (w *ways) watch(f *os.File) {
	w.changed(true)
	defer w.changed(false)
	buf := make([]byte, 8192)
	for {
		if _, err := f.Read(buf); err != nil && !errors.Is(err, syscall.ENOBUFS) {
			return
		}
		w.changed(true)
	}
}
