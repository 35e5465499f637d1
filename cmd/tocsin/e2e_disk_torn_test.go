package main_test

import (
	"bytes"
	"database/sql"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// tears are what a disk may have made of a database whose last transaction was written and not synced when
// the power failed, and which was being copied back from its log.
func tears() map[string]func(t *testing.T, rnd *rand.Rand, db string) {
	return map[string]func(*testing.T, *rand.Rand, string){
		"whole": func(*testing.T, *rand.Rand, string) {},
		"cut in the last frame": func(t *testing.T, rnd *rand.Rand, db string) {
			w := readWAL(t, db+"-wal")
			_, to := w.last()
			require.NoError(t, os.Truncate(w.path, int64(w.offset(to)-1-rnd.IntN(walFrame-1))))
		},
		"garbage in the last frame": func(t *testing.T, rnd *rand.Rand, db string) {
			w := readWAL(t, db+"-wal")
			_, to := w.last()
			garbage(rnd, w.bytes[w.offset(to-1):w.offset(to)])
			require.NoError(t, os.WriteFile(w.path, w.bytes, 0o644))
		},
		"half of the last page": func(t *testing.T, _ *rand.Rand, db string) {
			w := readWAL(t, db+"-wal")
			_, to := w.last()
			clear(w.bytes[w.offset(to)-walPage/2 : w.offset(to)])
			require.NoError(t, os.WriteFile(w.path, w.bytes, 0o644))
		},
		"the first frame is missing": func(t *testing.T, _ *rand.Rand, db string) {
			w := readWAL(t, db+"-wal")
			from, _ := w.last()
			clear(w.bytes[w.offset(from):w.offset(from+1)])
			require.NoError(t, os.WriteFile(w.path, w.bytes, 0o644))
		},
		"torn while the log was copied back": func(t *testing.T, rnd *rand.Rand, db string) {
			w := readWAL(t, db+"-wal")
			file, err := os.ReadFile(db)
			require.NoError(t, err)
			for _, at := range w.pages() {
				if at+walPage <= int64(len(file)) {
					garbage(rnd, file[at+walPage/2:at+walPage])
				}
			}
			require.NoError(t, os.WriteFile(db, file, 0o644))
		},
	}
}

func garbage(rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
}

// copyFolder copies the files of a server that was killed.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
}

// A walFile is SQLite's write-ahead log, as its file format's description has it: a header, and frames
// of a header and a page each. The frames of a transaction end with one that says so.
type walFile struct {
	path    string
	bytes   []byte
	commits []int // the frames after which a transaction has ended
}

const (
	walHeader = 32
	walFrame  = 24 + walPage
	walPage   = 4096
)

func readWAL(t *testing.T, path string) *walFile {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	w := &walFile{path: path, bytes: text}
	for n := 0; w.offset(n+1) <= len(text); n++ {
		frame := text[w.offset(n):]
		if !bytes.Equal(frame[8:16], text[16:24]) { // the salt: what follows is older
			break
		}
		if !bytes.Equal(frame[4:8], make([]byte, 4)) {
			w.commits = append(w.commits, n+1)
		}
	}
	return w
}

// offset is where a frame begins.
func (w *walFile) offset(frame int) int { return walHeader + frame*walFrame }

// last returns the first frame of the last transaction, and the one after it.
func (w *walFile) last() (from, to int) {
	return w.commits[len(w.commits)-2], w.commits[len(w.commits)-1]
}

// pages are those that the log has, by where they are in the database's file.
func (w *walFile) pages() []int64 {
	var at []int64
	for n := range w.commits[len(w.commits)-1] {
		f := w.bytes[w.offset(n):]
		page := int64(f[0])<<24 | int64(f[1])<<16 | int64(f[2])<<8 | int64(f[3])
		at = append(at, (page-1)*walPage)
	}
	return at
}

// intact asks SQLite whether a database is what it should be. Its server must have ended.
func intact(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var verdict string
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	require.Equal(t, "ok", verdict)
}
