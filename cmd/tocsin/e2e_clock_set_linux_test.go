package main_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A program asks for the time by a function that the kernel puts into its memory, the vDSO. The tests put
// another one there, which asks the kernel and adds to the wall clock. So the wall clock of that one process
// leaps, as when somebody sets the machine's, and its monotonic clock does not; the program is the one that
// is shipped, and knows nothing.

// setClock has the wall clock of a process that runs, or was stopped, be so far ahead of the true one.
func setClock(t *testing.T, pid int, ahead time.Duration) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		text := "the clock of a process can be set on amd64 only, this is " + runtime.GOARCH
		if os.Getenv("TOCSIN_REQUIRE") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	require.NoError(t, err, "it takes the right to trace a process")
	defer memory.Close()
	at, before := clockFunction(t, pid, memory)
	code := []byte{
		0xb8, 228, 0, 0, 0, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall: clock in rdi, result at rsi
		0x85, 0xff, // test edi, edi
		0x75, 7, // jnz ret: not CLOCK_REALTIME
		0x48, 0x81, 0x06, 0, 0, 0, 0, // add qword [rsi], seconds
		0xc3, // ret
	}
	seconds := code[14:18]
	whole := ahead.Truncate(time.Second) == ahead
	require.True(t, whole, "whole seconds")
	binary.LittleEndian.PutUint32(seconds, uint32(int32(ahead/time.Second)))
	known := bytes.Equal(before[:14], code[:14])
	eventually(t, func() error { // nobody may be in the middle of what is replaced
		if known || !executes(pid, at, int64(len(code))) {
			return nil
		}
		_ = syscall.Kill(pid, syscall.SIGCONT)
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		return errors.New("it asks for the time all the while")
	})
	_, err = memory.WriteAt(code, at)
	require.NoError(t, err, "it takes the right to trace a process")
}

// clockFunction finds clock_gettime in a process, and returns where it is and how it begins.
func clockFunction(t *testing.T, pid int, memory *os.File) (int64, []byte) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		from, to, _ := strings.Cut(strings.Fields(line)[0], "-")
		low, err := strconv.ParseInt(from, 16, 64)
		require.NoError(t, err)
		high, err := strconv.ParseInt(to, 16, 64)
		require.NoError(t, err)
		image := make([]byte, high-low)
		_, err = memory.ReadAt(image, low)
		require.NoError(t, err, "it takes the right to trace a process")
		file, err := elf.NewFile(bytes.NewReader(image))
		require.NoError(t, err)
		symbols, err := file.DynamicSymbols()
		require.NoError(t, err)
		for _, s := range symbols {
			if s.Name == "__vdso_clock_gettime" {
				return low + int64(s.Value), image[s.Value:]
			}
		}
	}
	require.Fail(t, "this kernel has no vDSO with clock_gettime")
	return 0, nil
}

// executes says whether a thread of a process that is stopped is within a piece of code, or may be.
func executes(pid int, at, size int64) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread + "/stat")
		if err != nil {
			continue // it is gone
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if !strings.HasPrefix(after, "T") && !strings.HasPrefix(after, "t") {
			return true
		}
		where, err := os.ReadFile(thread + "/syscall")
		fields := strings.Fields(string(where))
		if err != nil || len(fields) == 0 {
			return true
		}
		pc, err := strconv.ParseInt(fields[len(fields)-1], 0, 64)
		if err != nil || pc > at && pc < at+size {
			return true
		}
	}
	return len(threads) == 0
}

// SetClock has the server's wall clock leap: from now on it is so far ahead of the true one.
func (s *server) SetClock(ahead time.Duration) {
	s.t.Helper()
	s.Signal(syscall.SIGSTOP)
	setClock(s.t, s.cmd.Process.Pid, ahead)
	s.Signal(syscall.SIGCONT)
}

// StartAt is Start with a wall clock that is so far ahead of the true one from the first instruction on.
func (s *server) StartAt(ahead time.Duration) {
	s.t.Helper()
	s.begin = func(cmd *exec.Cmd) error {
		runtime.LockOSThread() // whoever traces is a thread
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil {
			return fmt.Errorf("wait for the program to be loaded: %w", err)
		}
		setClock(s.t, cmd.Process.Pid, ahead)
		return syscall.PtraceDetach(cmd.Process.Pid)
	}
	defer func() { s.begin = nil }()
	s.Start()
}
