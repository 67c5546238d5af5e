package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"go.bug.st/serial"
)

// Errors of a [Serial] that callers branch on.
var (
	ErrSerialBusy  = errors.New("another program uses the serial port")
	ErrSerialStuck = errors.New("the serial port does not take what is written to it")
)

// SerialConfig says which serial port to open.
type SerialConfig struct {
	Path string // "/dev/ttyUSB2"
	Baud int    // 0: 115,200, which means nothing over USB
	// LockDir is where the lock file is made that keeps a second opener away; empty:
	// /run/lock, or the directory for temporary files where that does not exist.
	LockDir string
}

// Limits of a [Serial].
const (
	serialQueue = 32   // writes waiting for the port
	serialChunk = 1024 // bytes of each
)

// Serial is a serial port (8N1, raw, no flow control) that never blocks its
// writer: what is written goes through a queue of 32 kilobytes to a goroutine of
// its own, because a device that has stopped draining takes no more for ever. A full queue means that the device is dead, and Write says so. Read and Write
// are for one goroutine each; Close for any.
type Serial struct {
	port serial.Port
	out  *os.File // the port once more: the library's Write cannot be ended
	name string
	lock *os.File

	free  chan []byte // buffers that nobody uses
	queue chan []byte
	done  chan struct{} // the writer has ended
	stop  chan struct{}
	once  sync.Once

	mu  sync.Mutex // guards err
	err error      // why writing failed
}

// OpenSerial opens the port for this program alone. [ErrSerialBusy] when another
// has it. Closing it ends a waiting Read.
func OpenSerial(c SerialConfig) (*Serial, error) {
	if c.Baud == 0 {
		c.Baud = 115200
	}
	lock, err := lockSerial(c)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(c.Path, os.O_WRONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open the serial port: %w", err)
	}
	// Opening raises DTR for a moment in any case; asking for the lines would fail
	// where there are none (pseudo terminals, some USB sticks).
	port, err := serial.Open(c.Path, &serial.Mode{BaudRate: c.Baud})
	if err != nil {
		_ = out.Close()
		_ = lock.Close()
		var pe *serial.PortError
		if errors.As(err, &pe) && pe.Code() == serial.PortBusy {
			err = ErrSerialBusy
		}
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	s := &Serial{
		port: port, out: out, name: c.Path, lock: lock,
		free: make(chan []byte, serialQueue), queue: make(chan []byte, serialQueue),
		done: make(chan struct{}), stop: make(chan struct{}),
	}
	for range serialQueue {
		s.free <- make([]byte, 0, serialChunk)
	}
	go s.run()
	return s, nil
}

// lockSerial takes the lock file of the port. TIOCEXCL alone does not keep root
// from opening a terminal twice.
func lockSerial(c SerialConfig) (*os.File, error) {
	dir := c.LockDir
	if dir == "" {
		dir = "/run/lock"
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			dir = os.TempDir()
		}
	}
	path := c.Path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	name := "callbox" + strings.ReplaceAll(path, "/", "-") + ".lock"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", c.Path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open %s: %w", c.Path, ErrSerialBusy)
	}
	return f, nil
}

// run writes what is queued.
func (s *Serial) run() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case b := <-s.queue:
			if _, err := s.out.Write(b); err != nil {
				s.fail(fmt.Errorf("write to the serial port: %w", err))
				return
			}
			s.free <- b[:0]
		}
	}
}

func (s *Serial) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// Name is the port's path.
func (s *Serial) Name() string { return s.name }

// Read gives what came, at least one byte; it waits until something does, the
// port is closed or the device has gone.
func (s *Serial) Read(p []byte) (int, error) {
	for {
		n, err := s.port.Read(p)
		if err != nil {
			return n, fmt.Errorf("read %s: %w", s.name, err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
}

// Write queues a copy of p. It does not block. It fails with [ErrSerialStuck] when the
// queue is full, and with what an earlier write failed with.
func (s *Serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	for n := 0; n < len(p); {
		select {
		case b := <-s.free:
			b = append(b, p[n:min(n+serialChunk, len(p))]...)
			n += len(b)
			s.queue <- b // has a place for each buffer
		default:
			err := fmt.Errorf("write to %s: %w", s.name, ErrSerialStuck)
			s.fail(err)
			return n, err
		}
	}
	return len(p), nil
}

// Close closes the port and lets others open it. A Write that hangs in the queue,
// or in the device, and a waiting Read end.
func (s *Serial) Close() error {
	var err error
	s.once.Do(func() {
		s.fail(os.ErrClosed)
		close(s.stop)
		err = errors.Join(s.out.Close(), s.port.Close())
		<-s.done
		_ = s.lock.Close()
	})
	if err != nil {
		return fmt.Errorf("close %s: %w", s.name, err)
	}
	return nil
}
