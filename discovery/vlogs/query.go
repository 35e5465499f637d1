package vlogs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrCut is matched by the error of a Reader whose answer ended before its end, or was longer than it may be:
// what came is not all there is, so it is nothing.
var ErrCut = errors.New("the answer was cut")

// An asker asks VictoriaLogs.
type asker struct {
	url    string
	client *http.Client
	header http.Header
	limit  int64 // bytes of an answer
}

// ask runs a query over a window, and calls row with each line of the answer, which is valid until it returns.
// Without a window VictoriaLogs would scan all that it has. If it is out of time after the first row, it
// answers 200 and cuts the connection: that is an error here, as is a last line without an end.
func (a *asker) ask(ctx context.Context, query string, from, to time.Time, row func(line []byte) error) error {
	form := url.Values{
		"query": {query},
		"start": {from.UTC().Format(time.RFC3339Nano)},
		"end":   {to.UTC().Format(time.RFC3339Nano)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/select/logsql/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	addHeader(req, a.header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("VictoriaLogs answers %d: %s", resp.StatusCode, strings.TrimSpace(string(text)))
	}
	limited := &io.LimitedReader{R: resp.Body, N: a.limit + 1}
	r := bufio.NewReaderSize(limited, 64<<10)
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		long = append(long, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && limited.N <= 0:
			return fmt.Errorf("%w: it has more than %d bytes", ErrCut, a.limit)
		case errors.Is(err, io.EOF) && len(long) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: its last line has no end", ErrCut)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrCut, err)
		}
		if err := row(long[:len(long)-1]); err != nil {
			return err
		}
		long = long[:0]
	}
}

// quoted writes a list of LogsQL phrases.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strconv.Quote(strings.ToValidUTF8(w, "\uFFFD"))
	}
	return strings.Join(out, ",")
}
