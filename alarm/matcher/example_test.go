package matcher_test

import (
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

func Example() {
	ms, err := matcher.Parse(`alertname="NodeDown",cluster=~"db-.*",team!="lab"`)
	if err != nil {
		panic(err)
	}
	fmt.Println(ms.Matches(model.LabelSet{"alertname": "NodeDown", "cluster": "db-7"}))
	fmt.Println(ms.Matches(model.LabelSet{"alertname": "NodeDown", "cluster": "web-1"}))
	// Output:
	// true
	// false
}

func ExampleIndex() {
	var silences matcher.Index[string]
	silences.Add(matcher.MustParse(`instance="db1"`), "replace disk")
	silences.Add(matcher.MustParse(`alertname=~"NodeDown|TargetDown"`), "new switch")
	silences.Add(matcher.MustParse(`cluster!="eu-1"`), "only eu-1 is live")

	for name := range silences.Matching(model.LabelSet{"alertname": "NodeDown", "instance": "db1", "cluster": "eu-1"}) {
		fmt.Println(name)
	}
	// Output:
	// replace disk
	// new switch
}
