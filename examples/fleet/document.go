package fleet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// Document returns what a service answers at an instant: the HTTP code, the content type and the body.
func (f *Fleet) Document(namespace, service string, now time.Time) (code int, contentType string, body []byte) {
	h := f.hash("document", namespace, service)
	w := &writer{
		random: rand.New(rand.NewPCG(h, uint64(now.UnixNano()))),
		now:    now.UTC(), namespace: namespace, service: service,
		fails: f.Fails(namespace, service, now), live: f.Live(namespace),
		size: f.opts.Largest/100 + int(h%uint64(max(1, f.opts.Largest/10))),
	}
	format := h % 16
	if service == f.services[0] { // one large document for each environment
		w.size, format = f.opts.Largest, 0
	}
	w.Grow(w.size + w.size/8 + 256)
	code = 200
	if w.fails {
		code = 503
	}
	contentType = "application/json"
	switch format {
	case 8, 9, 10:
		contentType = "application/vnd.spring-boot.actuator.v3+json"
		w.spring()
	case 11, 12:
		w.microprofile()
	case 13:
		contentType = "application/health+json"
		w.healthJSON()
	case 14:
		w.healthGo()
		return code, contentType, w.Bytes()
	case 15:
		contentType = "text/plain"
		w.WriteString(map[bool]string{false: "Healthy", true: "Unhealthy"}[w.fails])
		return code, contentType, w.Bytes()
	default:
		w.aspnet()
	}
	return code, contentType, w.Bytes()
}

// A writer writes one document.
type writer struct {
	bytes.Buffer
	random             *rand.Rand
	now                time.Time
	namespace, service string
	fails, live        bool
	size               int
}

var dependencyNames = [...]string{
	"orders db", "billing", "message broker", "search index", "session cache", "object store", "identity", "mail relay", "pricing rules", "stock",
}

// each calls write for as many dependencies as the document has room for; of a service that fails, the
// second one does.
func (w *writer) each(write func(name string, fails bool)) {
	for i := 0; i == 0 || w.Len() < w.size-1000; i++ {
		if i > 0 {
			w.WriteByte(',')
		}
		name := dependencyNames[i%len(dependencyNames)]
		if i >= len(dependencyNames) {
			name = fmt.Sprintf("%s %d", name, i/len(dependencyNames)+1)
		}
		write(name, w.fails && i == 1)
	}
}

func (w *writer) milliseconds() float64 { return w.random.ExpFloat64() * 8 }

func (w *writer) word(fails bool, good, bad string) string {
	if fails {
		return bad
	}
	return good
}

// lastHour is how many operations there were: none where nobody works.
func (w *writer) lastHour() int {
	if !w.live {
		return 0
	}
	return 1000 + w.random.IntN(500)
}

func (w *writer) timeSpan() string {
	return fmt.Sprintf("00:00:%010.7f", w.milliseconds()/1000)
}

// data is what is measured about one dependency: most of it changes at each call.
func (w *writer) data(name string) {
	fmt.Fprintf(w, `{"url":"http://%s.%s.svc:8080/api","operations":{"total":%d,"failed":%d,"lastHour":%d},"responseTime":{"p50":%.3f,"p95":%.3f,"p99":%.3f},`,
		dnsName(name), w.namespace, w.now.Unix()%1e6+int64(w.random.IntN(50)), w.random.IntN(3), w.lastHour(), w.milliseconds(), w.milliseconds()*3, w.milliseconds()*9)
	fmt.Fprintf(w, `"pool":{"open":%d,"idle":%d,"max":50,"waiting":0},"lastSuccess":%q,"requestId":"%08x-%04x-4%03x-8%03x-%012x","pods":[`,
		w.random.IntN(50), w.random.IntN(20), w.now.Add(-time.Second).Format(time.RFC3339Nano), w.random.Uint32(), w.random.IntN(1<<16), w.random.IntN(1<<12),
		w.random.IntN(1<<12), w.random.Int64N(1<<48))
	for i := range 3 {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `{"name":"%s-%d","ready":true,"restarts":0,"cpu":%d,"memory":%d}`, dnsName(name), i, w.random.IntN(900), 1<<28+w.random.IntN(1<<27))
	}
	fmt.Fprintf(w, `],"hpa":{"min":2,"max":10,"current":3,"desired":3},"version":"2026.11.%d","leader":true,"text":"%s"}`, len(name),
		"the endpoint answered as it was expected to, within the limits that were agreed upon for this environment and this kind of dependency")
}

func dnsName(name string) string {
	return string(bytes.ReplaceAll([]byte(name), []byte(" "), []byte("-")))
}

func (w *writer) aspnet() {
	fmt.Fprintf(w, `{"status":%q,"totalDuration":%q,"entries":{`, w.word(w.fails, "Healthy", "Unhealthy"), w.timeSpan())
	w.each(func(name string, fails bool) {
		fmt.Fprintf(w, `%q:{"data":`, name)
		w.data(name)
		if fails {
			fmt.Fprintf(w, `,"description":"no answer","exception":"timeout after %d ms"`, 1000+w.random.IntN(50))
		}
		fmt.Fprintf(w, `,"duration":%q,"status":%q,"tags":["remote","critical"]}`, w.timeSpan(), w.word(fails, "Healthy", "Unhealthy"))
	})
	fmt.Fprintf(w, `},"activity":{"lastHour":%d}}`, w.lastHour())
}

func (w *writer) spring() {
	fmt.Fprintf(w, `{"status":%q,"components":{`, w.word(w.fails, "UP", "DOWN"))
	w.each(func(name string, fails bool) {
		fmt.Fprintf(w, `%q:{"status":%q,"details":`, name, w.word(fails, "UP", "DOWN"))
		if fails {
			fmt.Fprintf(w, `{"error":"java.net.ConnectException: refused by 10.0.0.%d"}}`, w.random.IntN(250))
			return
		}
		w.data(name)
		w.WriteByte('}')
	})
	fmt.Fprintf(w, `,"diskSpace":{"status":"UP","details":{"total":107374182400,"free":%d,"threshold":10485760,"exists":true}}},"groups":["liveness","readiness"]}`, w.random.Int64N(1e11))
}

func (w *writer) microprofile() {
	fmt.Fprintf(w, `{"status":%q,"checks":[`, w.word(w.fails, "UP", "DOWN"))
	w.each(func(name string, fails bool) {
		fmt.Fprintf(w, `{"name":%q,"status":%q,"data":`, name, w.word(fails, "UP", "DOWN"))
		w.data(name)
		w.WriteByte('}')
	})
	w.WriteString(`]}`)
}

func (w *writer) healthJSON() {
	fmt.Fprintf(w, `{"status":%q,"version":"1","releaseId":"1.4.2","serviceId":%q,"checks":{`, w.word(w.fails, "pass", "fail"), w.service)
	w.each(func(name string, fails bool) {
		fmt.Fprintf(w, `"%s:responseTime":[{"componentId":"%s-0","componentType":"datastore","observedValue":%.3f,"observedUnit":"ms","status":%q,"time":%q,"links":`,
			name, dnsName(name), w.milliseconds(), w.word(fails, "pass", "fail"), w.now.Format(time.RFC3339Nano))
		w.data(name)
		w.WriteString(`}]`)
	})
	w.WriteString(`}}`)
}

func (w *writer) healthGo() {
	fmt.Fprintf(w, `{"status":%q,"timestamp":%q,`, w.word(w.fails, "OK", "Unavailable"), w.now.Format(time.RFC3339Nano))
	if w.fails {
		w.WriteString(`"failures":{"billing":"dial tcp: refused"},`)
	}
	fmt.Fprintf(w, `"system":{"version":"go1.26","goroutines_count":%d,"alloc_bytes":%d},"component":{"name":%q,"version":"v1.4"}}`,
		w.random.IntN(500), w.random.IntN(1e8), w.service)
}
