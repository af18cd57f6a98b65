package desired

import "fmt"

// flatten is a tree of JSON as values by path, an element of a list by what names it, such as
// spec.containers[kafka].image.
func flatten(tree map[string]any) map[string]string {
	flat := map[string]string{}
	flattenInto(flat, "", tree)
	return flat
}

func flattenInto(flat map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for field, child := range v {
			flattenInto(flat, join(path, field), child)
		}
	case []any:
		for i, child := range v {
			flattenInto(flat, fmt.Sprintf("%s[%s]", path, elementName(i, child)), child)
		}
	default:
		flat[path] = fmt.Sprint(v)
	}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// elementName is what an element of a list is known by in Kubernetes, else its place.
func elementName(index int, element any) string {
	fields, _ := element.(map[string]any)
	for _, key := range []string{"mountPath", "name"} {
		if name, ok := fields[key].(string); ok {
			return name
		}
	}
	return fmt.Sprint(index)
}
