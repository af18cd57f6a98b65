package cel

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// rule is one rule or bound of the schema, at one or more places, with specs that it accepts and specs that it refuses.
type rule struct {
	// Rule is the beginning of the message of a CEL rule, or a keyword of the schema: maxItems, required, unique, type...
	Rule string `json:"rule"`
	// At are the places in the object that the rule is tested at, as JSON pointers.
	At       []string `json:"at"`
	Accepted []change `json:"accepted"`
	Refused  []change `json:"refused"`
}

// change is an object: the base of its kind with some values set. A key is a JSON pointer, below the place of the rule if it
// begins without a slash, and the place itself if it is a dot. The value null removes, and - appends to a list.
type change struct {
	Name string `json:"name"`
	// Create is set before the object is created, Update after it.
	Create map[string]any `json:"create"`
	Update map[string]any `json:"update"`
	// Says is a part of the message, where it is not the rule itself.
	Says string `json:"says"`
}

// keywords are what the API server says of a value that breaks a keyword of the schema.
var keywords = map[string]string{
	"maxItems":      "Too many",
	"minItems":      "should have at least",
	"minLength":     "should be at least",
	"maxLength":     "Too long",
	"pattern":       "should match",
	"enum":          "Unsupported value",
	"minimum":       "should be greater than or equal to",
	"maximum":       "should be less than or equal to",
	"maxProperties": "Too many",
	"required":      "Required value",
	"unique":        "Duplicate value",
	"type":          "must be of type",
	"unknown":       "unknown field",
}

func TestRules(t *testing.T) {
	for kind, schema := range readSchemas(t) {
		t.Run(kind, func(t *testing.T) { testRules(t, kind, schema) })
	}
}

// testRules tests the rules of one kind, and that none of its schema is left out.
func testRules(t *testing.T, kind string, schema []constraint) {
	tested := map[string]bool{}
	for _, file := range ruleFiles(t, kind) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			for _, r := range readRules(t, file) {
				for _, at := range r.At {
					tested[testRule(t, kind, schema, r, at)] = true
				}
			}
		})
	}
	for _, c := range schema {
		if !tested[c.key()] {
			t.Errorf("no case in testdata/rules/%s for %s: %s", kind, c.path, c.name)
		}
	}
}

// onlyHere are the rules that the schema has by nature: types, and that there are no other fields.
var onlyHere = []string{"type", "unknown"}

// testRule tests one rule at one place, and returns the constraint of the schema that it is about.
func testRule(t *testing.T, kind string, schema []constraint, r rule, at string) string {
	t.Run(at+": "+r.Rule, func(t *testing.T) {
		if len(r.Accepted) == 0 || len(r.Refused) == 0 {
			t.Error("a rule needs at least one spec that it accepts and one that it refuses")
		}
		if find(schema, r, at).reportedAt == "" && at != "" && !slices.Contains(onlyHere, r.Rule) {
			t.Error("the schema has no such rule here")
		}
		for _, c := range r.Accepted {
			t.Run("accepts "+c.Name, func(t *testing.T) {
				if err := c.apply(t, kind, at); err != nil {
					t.Errorf("refused: %v", err)
				}
			})
		}
		for _, c := range r.Refused {
			t.Run("refuses "+c.Name, func(t *testing.T) {
				checkRefused(t, schema, r, at, c.apply(t, kind, at), c.Says)
			})
		}
	})
	return find(schema, r, at).key()
}

// checkRefused checks what the API server answered to a change that is to be refused, and that its message says so much.
func checkRefused(t *testing.T, schema []constraint, r rule, at string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	constraint := find(schema, r, at)
	if want == "" && keywords[r.Rule] == "" {
		want = constraint.name // the whole message
	}
	for _, said := range causes(err) {
		isKeyword := keywords[r.Rule] == "" || strings.Contains(said.message, keywords[r.Rule])
		isThere := said.field == "" || constraint.reportedAt == "" || isPlace(constraint.reportedAt, withoutIndexes(said.field))
		if isKeyword && isThere && strings.Contains(said.message, want) {
			return
		}
	}
	t.Errorf("refused for another reason:\n%v\nwant at %s: %q %q", err, constraint.reportedAt, keywords[r.Rule], want)
}

type cause struct{ field, message string }

func causes(err error) []cause {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return []cause{{message: err.Error()}} // a field that does not exist, say
	}
	var found []cause
	for _, c := range status.Status().Details.Causes {
		found = append(found, cause{field: c.Field, message: c.Message})
	}
	return found
}

var counter atomic.Int32

// apply creates the object and updates it, as far as the change says so. What is only created is a dry run.
func (c change) apply(t *testing.T, kind, at string) error {
	t.Helper()
	ctx := context.Background()
	obj := readBase(t, kind)
	obj.SetName(fmt.Sprintf("%s-%d", obj.GetName(), counter.Add(1)))
	set(t, obj.Object, at, c.Create)
	if c.Update == nil {
		return api.Create(ctx, obj, client.DryRunAll)
	}
	if err := api.Create(ctx, obj); err != nil {
		t.Fatalf("creating what is to be updated: %v", err)
	}
	defer func() { _ = api.Delete(ctx, obj.DeepCopy()) }()
	set(t, obj.Object, at, c.Update)
	return api.Update(ctx, obj, client.DryRunAll)
}

func readBase(t *testing.T, kind string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(readFile(t, filepath.Join("testdata/base", kind+".yaml")), &obj.Object); err != nil {
		t.Fatalf("reading the base: %v", err)
	}
	obj.SetNamespace(metav1.NamespaceDefault)
	return obj
}

func ruleFiles(t *testing.T, kind string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/rules", kind, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules in testdata/rules/%s: %v", kind, err)
	}
	return files
}

// readRules reads a file of rules, which is a template: repeat and until make what is long.
func readRules(t *testing.T, file string) []rule {
	t.Helper()
	functions := template.FuncMap{
		"repeat": func(count int, s string) string { return strings.Repeat(s, count) },
		"until":  func(count int) []int { return make([]int, count) },
		"list":   func(items ...string) []string { return items },
	}
	parsed, err := template.New(file).Funcs(functions).Parse(string(readFile(t, file)))
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	var content bytes.Buffer
	if err := parsed.Execute(&content, nil); err != nil {
		t.Fatalf("executing: %v", err)
	}
	var rules []rule
	if err := yaml.UnmarshalStrict(content.Bytes(), &rules); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return rules
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return content
}

// set sets values in an object: what holds others before these, and the place of the rule after what is set by name.
func set(t *testing.T, object map[string]any, at string, values map[string]any) {
	t.Helper()
	pointers := map[string]string{}
	for key := range values {
		switch {
		case key == ".":
			pointers[key] = at
		case strings.HasPrefix(key, "/"):
			pointers[key] = key
		default:
			pointers[key] = at + "/" + key
		}
	}
	depth := func(key string) int { return strings.Count(pointers[key], "/") }
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(depth(a), depth(b)), cmp.Compare(b, a))
	})
	for _, key := range keys {
		setOne(t, object, strings.Split(strings.TrimPrefix(pointers[key], "/"), "/"), runtime.DeepCopyJSONValue(values[key]))
	}
}

// setOne sets one value and returns the container that holds it, which is another one if a list grew or shrank.
func setOne(t *testing.T, container any, path []string, value any) any {
	t.Helper()
	key := strings.ReplaceAll(path[0], "~1", "/")
	switch c := container.(type) {
	case map[string]any:
		switch {
		case len(path) == 1 && value == nil:
			delete(c, key)
		case len(path) == 1:
			c[key] = value
		default:
			if c[key] == nil {
				c[key] = map[string]any{}
			}
			c[key] = setOne(t, c[key], path[1:], value)
		}
		return c
	case []any:
		if key == "-" {
			return append(c, value)
		}
		i, err := strconv.Atoi(key)
		switch {
		case err != nil || i >= len(c):
			t.Fatalf("%s is no index of a list of %d", key, len(c))
		case len(path) == 1 && value == nil:
			return slices.Delete(c, i, i+1)
		case len(path) == 1:
			c[i] = value
		default:
			c[i] = setOne(t, c[i], path[1:], value)
		}
		return c
	}
	t.Fatalf("%v is neither an object nor a list", path)
	return nil
}
