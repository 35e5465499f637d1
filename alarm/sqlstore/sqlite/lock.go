//go:build unix

package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// A fileLock is an exclusive lock on a file of its own. The system releases it when the process
// ends, however it ends. The file is never deleted: somebody may just have opened it.
type fileLock struct {
	path string
	file *os.File
}

var _ sqlstore.Lock = (*fileLock)(nil)

// Take implements sqlstore.Lock.
func (l *fileLock) Take() error {
	if l.file != nil {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return &sqlstore.Error{Kind: sqlstore.ErrUnavailable, Where: l.path, Err: err, Remedy: "make the directory writable for this user"}
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &sqlstore.HeldError{Where: l.path, By: holder(f), Err: err}
		}
		return &sqlstore.Error{Kind: sqlstore.ErrUnavailable, Where: l.path, Err: err, Remedy: "use a file system that can lock files"}
	}
	sign(f)
	l.file = f
	return nil
}

// Release implements sqlstore.Lock.
func (l *fileLock) Release() error {
	f := l.file
	l.file = nil
	if f == nil {
		return nil
	}
	return errors.Join(f.Truncate(0), f.Close())
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// sign writes who holds the lock. It is for messages only: on a full disk the lock holds without.
func sign(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
}

// holder reads who holds the lock; it may just be about to write it.
func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid := bytes.TrimSpace(b[:n])
	if len(pid) == 0 {
		return ""
	}
	return "process " + string(pid)
}
