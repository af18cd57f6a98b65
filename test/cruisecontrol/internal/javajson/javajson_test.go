package javajson

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestMarshal(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	value := Object{"a": []int32{1, 2}, "b": "it's a=b&c \"<ä>\"\n\\", "c": Object{"d": 100.0, "e": nil}, "f": true, "g": map[int32]int{7: 1}, "h": []Object{}}
	orders := map[string]bool{}
	for range 20 {
		got := Marshal(value, random)
		orders[got] = true
		var back map[string]any
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if back["b"] != value["b"] || !reflect.DeepEqual(back["a"], []any{1.0, 2.0}) {
			t.Errorf("%s", got)
		}
		for _, want := range []string{`it\u0027s a\u003db\u0026c \"\u003cä\u003e\"\n\\`, `"d":100.0`, `"e":null`, `"g":{"7":1}`, `"h":[]`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %s", got, want)
			}
		}
	}
	if len(orders) < 5 {
		t.Error("members are in the same order each time")
	}
	if got := Marshal([]float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.5}, random); got != "[NaN,Infinity,-Infinity,-0.5]" {
		t.Errorf("got %s", got)
	}
}
