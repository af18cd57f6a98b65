// Package serverproperties knows Kafka's properties: which can be changed while a broker runs, which values Kafka would
// refuse, and what differs between two configurations. It is pure. How they are written is in apis/machinery/properties.
package serverproperties

import "koperator.dev/koperator/apis/machinery/properties"

// Property is one property.
type Property = properties.Property

// Values are the properties by key.
func Values(list []Property) map[string]string { return properties.Values(list) }

// Render writes properties as Kafka reads them.
func Render(header string, list []Property) string { return properties.Render(header, list) }

// Parse reads what Render has written, or a person.
func Parse(text string) (map[string]string, error) { return properties.Parse(text) }
