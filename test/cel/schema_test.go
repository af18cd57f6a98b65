package cel

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// constraint is one thing that the schema says of one place.
type constraint struct {
	// path is the place, such as spec.brokers[].id.
	path string
	// name is the keyword of the schema, or the message of a CEL rule.
	name string
	// reportedAt is the place that the API server names.
	reportedAt string
	isRule     bool
}

func (c constraint) key() string { return c.path + " " + c.name }

// foreign are places whose schema is Kubernetes' own.
var foreign = []string{
	"spec.brokers[].resources.claims", "spec.brokerGroups[].resources.claims", "spec.envoy.resources.claims",
	"spec.cruiseControl.resources.claims",
}

// The kinds, by the names that kubectl has for them.
const (
	kafkaCluster           = "kafkacluster"
	cruiseControlOperation = "cruisecontroloperation"
)

// readSchemas lists what the schema of each kind says, but for status, which no user writes.
func readSchemas(t *testing.T) map[string][]constraint {
	t.Helper()
	schemas := map[string][]constraint{}
	files, err := filepath.Glob(filepath.Join(crdFolder, "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRD: %v", err)
	}
	for _, file := range files {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(readFile(t, file), crd); err != nil {
			t.Fatalf("reading %s: %v", file, err)
		}
		var found []constraint
		for _, version := range crd.Spec.Versions {
			schema := version.Schema.OpenAPIV3Schema
			delete(schema.Properties, "status")
			found = append(found, constraintsOf("", schema)...)
		}
		schemas[crd.Spec.Names.Singular] = slices.DeleteFunc(found, isForeign)
	}
	return schemas
}

func isForeign(c constraint) bool {
	return slices.ContainsFunc(foreign, func(place string) bool { return strings.HasPrefix(c.path, place) })
}

func constraintsOf(path string, s *apiextensionsv1.JSONSchemaProps) []constraint {
	var found []constraint
	for name, isSet := range map[string]bool{
		"maxItems":      s.MaxItems != nil,
		"minItems":      s.MinItems != nil,
		"maxLength":     s.MaxLength != nil,
		"minLength":     s.MinLength != nil,
		"pattern":       s.Pattern != "",
		"enum":          s.Enum != nil,
		"minimum":       s.Minimum != nil,
		"maximum":       s.Maximum != nil,
		"maxProperties": s.MaxProperties != nil,
	} {
		if isSet {
			found = append(found, constraint{path: path, name: name, reportedAt: path})
		}
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		found = append(found, constraint{path: path, name: "unique", reportedAt: path + "[]"})
	}
	for _, field := range s.Required {
		found = append(found, constraint{path: join(path, field), name: "required", reportedAt: join(path, field)})
	}
	for _, r := range s.XValidations {
		found = append(found, constraint{path: path, name: r.Message, reportedAt: path + r.FieldPath, isRule: true})
	}
	for name, property := range s.Properties {
		found = append(found, constraintsOf(join(path, name), &property)...)
	}
	if s.Items != nil {
		found = append(found, constraintsOf(path+"[]", s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil {
		found = append(found, constraintsOf(path+".*", s.AdditionalProperties.Schema)...)
	}
	return found
}

func join(path, field string) string { return strings.TrimPrefix(path+"."+field, ".") }

var indexes = regexp.MustCompile(`\[\d+\]`)

func withoutIndexes(field string) string { return indexes.ReplaceAllString(field, "[]") }

// isPlace tells whether a place is the one of the schema, where a star stands for any key of a map.
func isPlace(schema, place string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(schema), `\*`, `[^.]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(place)
}

var pointerIndexes = regexp.MustCompile(`/(\d+|-)(/|$)`)

// find finds the constraint that a rule of the test data is about. One that only the test data knows (a type, say) is
// found by nothing, and reported anywhere.
func find(schema []constraint, r rule, at string) constraint {
	path := strings.TrimPrefix(at, "/")
	path = pointerIndexes.ReplaceAllString(path, "[]$2")
	path = strings.ReplaceAll(strings.ReplaceAll(path, "/", "."), "~1", "/")
	for _, c := range schema {
		if isPlace(c.path, path) && (c.name == r.Rule || c.isRule && strings.HasPrefix(c.name, r.Rule)) {
			return c
		}
	}
	return constraint{path: path, name: r.Rule}
}
