// Command demo shows tocsin at work on real alerts: it starts a victoria-metrics, which scrapes an
// exporter in this program, a vmalert, which evaluates rules.yml over it, and a tocsin, which asks the
// vmalert what fires and is pushed to by it as well. Ctrl-C ends all of them; nothing is left behind.
// `make demo` has all that it needs.
//
// All addresses are fixed, and on the loopback interface.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Where the parts listen. tocsin.yml names vmalert's.
const (
	exporterAddress = "127.0.0.1:9184"
	metricsAddress  = "127.0.0.1:8428"
	vmalertAddress  = "127.0.0.1:8880"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tocsin := flag.String("tocsin", "bin/tocsin", "the server")
	files := flag.String("files", "examples/demo", "the folder of rules.yml and tocsin.yml")
	listen := flag.String("listen", "127.0.0.1:9093", "where the server listens")
	flag.Parse()
	if err := run(ctx, *tocsin, *files, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs everything until ctx ends or a part does.
func run(ctx context.Context, tocsin, files, listen string) error {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	scrape := filepath.Join(dir, "scrape.yml")
	text := fmt.Sprintf("scrape_configs:\n- {job_name: shop, scrape_interval: 2s, static_configs: [{targets: [%q], labels: {instance: shop}}]}\n", exporterAddress)
	if err := os.WriteFile(scrape, []byte(text), 0o600); err != nil {
		return err
	}
	parts := []*exec.Cmd{
		exec.Command("victoria-metrics", "-httpListenAddr="+metricsAddress, "-storageDataPath="+filepath.Join(dir, "metrics"),
			"-promscrape.config="+scrape, "-search.latencyOffset=1s", "-memory.allowedBytes=256MiB"),
		exec.Command("vmalert", "-httpListenAddr="+vmalertAddress, "-rule="+filepath.Join(files, "rules.yml"),
			"-datasource.url=http://"+metricsAddress, "-datasource.queryStep=1m", "-notifier.url=http://"+listen,
			"-external.url=http://"+vmalertAddress),
		exec.Command(tocsin, "--config.file="+filepath.Join(files, "tocsin.yml"), "--storage.path="+filepath.Join(dir, "tocsin"),
			"--web.listen-address="+listen, "--cluster.listen-address="),
	}
	for _, address := range []string{metricsAddress, vmalertAddress, listen} {
		if err := free(address); err != nil {
			return err
		}
	}
	exporter, err := net.Listen("tcp", exporterAddress)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return export(ctx, exporter) })
	for _, part := range parts {
		all.Go(func() error { return keep(ctx, part, part.Path == tocsin) })
	}
	fmt.Printf("\nThe page is at http://%s/ and the first alerts on it in half a minute; vmalert's is at http://%s/.\n"+
		"The rules are in %[3]s/rules.yml and the configuration in %[3]s/tocsin.yml: change it while this runs.\n"+
		"Ctrl-C ends everything.\n\n", listen, vmalertAddress, files)
	return all.Wait()
}

// free says whether nobody listens at an address.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w: end what is there first", err)
	}
	return l.Close()
}

// export shows the shop's metrics until ctx ends.
func export(ctx context.Context, l net.Listener) error {
	opened := time.Now()
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, samples(time.Since(opened))) }),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// keep runs a part until ctx ends, and then ends it by its process. That it ends by itself is an
// error. What it logs is shown as it comes, or only if it ends by itself.
func keep(ctx context.Context, part *exec.Cmd, shown bool) error {
	log := &tail{}
	part.Stdout, part.Stderr = log, log
	if shown {
		part.Stdout, part.Stderr = os.Stdout, os.Stderr
	}
	// In a process group of its own it does not see Ctrl-C, and is ended in good order.
	part.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := part.Start(); err != nil {
		return fmt.Errorf("%w: make demo takes what is missing out of Debian's packages", err)
	}
	var how error
	ended := make(chan struct{})
	go func() {
		how = part.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		if how == nil {
			how = errors.New("exit status 0")
		}
		return fmt.Errorf("%s ended by itself: %w\n%s", filepath.Base(part.Path), how, log.b)
	case <-ctx.Done():
	}
	if err := part.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = part.Process.Kill() // it had its time
		<-ended
	}
	return nil
}

// A tail keeps the end of what is written to it. It is read when its writer is gone.
type tail struct{ b []byte }

var _ io.Writer = (*tail)(nil)

// Write keeps the end of b.
func (t *tail) Write(b []byte) (int, error) {
	const most = 4 << 10
	t.b = append(t.b, b...)
	if len(t.b) > 2*most {
		t.b = bytes.Clone(t.b[len(t.b)-most:])
	}
	return len(b), nil
}
