package vlogs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A spool keeps batches until they are sent: in a folder, or in memory if there is none. What is in the
// folder survives the process: a batch is written under another name, synced, and renamed.
type spool struct {
	dir   string
	limit int64

	mu      sync.Mutex // guards what is below
	batches []batch    // the oldest first
	bytes   int64
	next    uint64
	wake    chan struct{} // has a value when there may be something new
}

// A batch is a request's body, compressed.
type batch struct {
	id   uint64
	size int64
	data []byte // nil if it is in the folder
}

const suffix = ".zst"

// openSpool takes over what is in the folder. What was being written when a process ended is removed.
func openSpool(dir string, limit int64) (*spool, error) {
	s := &spool{dir: dir, limit: limit, wake: make(chan struct{}, 1)}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool's folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		id, err := strconv.ParseUint(name, 16, 64)
		if !ok || err != nil {
			if strings.HasSuffix(e.Name(), suffix+".new") {
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					return nil, fmt.Errorf("tidy the spool: %w", err)
				}
			}
			continue // not ours
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		s.batches = append(s.batches, batch{id: id, size: info.Size()})
		s.bytes += info.Size()
		s.next = max(s.next, id+1)
	}
	slices.SortFunc(s.batches, func(a, b batch) int { return int(int64(a.id) - int64(b.id)) })
	if len(s.batches) > 0 {
		s.wake <- struct{}{}
	}
	return s, nil
}

func (s *spool) path(id uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", id, suffix))
}

// add keeps a batch, and returns how many of the oldest it dropped to make room.
func (s *spool) add(data []byte) (dropped int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(len(data))
	if size > s.limit {
		return 0, fmt.Errorf("a batch of %d bytes does not fit into a spool of %d", size, s.limit)
	}
	for s.bytes+size > s.limit {
		if err := s.drop(s.batches[0].id); err != nil {
			return dropped, err
		}
		dropped++
	}
	b := batch{id: s.next, size: size, data: data}
	if s.dir != "" {
		if err := write(s.path(b.id), data); err != nil {
			return dropped, fmt.Errorf("write to the spool: %w", err)
		}
		b.data = nil
	}
	s.next++
	s.batches = append(s.batches, b)
	s.bytes += size
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return dropped, nil
}

func write(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new") // a full disk is not to stay full
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// first returns the oldest batch, or false if there is none.
func (s *spool) first() (id uint64, data []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.batches) > 0 {
		b := s.batches[0]
		if b.data != nil {
			return b.id, b.data, true, nil
		}
		data, err := os.ReadFile(s.path(b.id))
		if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
			s.batches, s.bytes = s.batches[1:], s.bytes-b.size
			continue
		}
		return b.id, data, err == nil, err
	}
	return 0, nil, false, nil
}

// done removes a batch that was sent. It may have been dropped meanwhile.
func (s *spool) done(id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(id)
}

func (s *spool) drop(id uint64) error {
	at := slices.IndexFunc(s.batches, func(b batch) bool { return b.id == id })
	if at < 0 {
		return nil
	}
	b := s.batches[at]
	if b.data == nil {
		if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove from the spool: %w", err)
		}
	}
	s.batches, s.bytes = slices.Delete(s.batches, at, at+1), s.bytes-b.size
	return nil
}

// held returns how much waits.
func (s *spool) held() (batches int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batches), s.bytes
}
