package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// errStale is a broker that does not follow the metadata quorum: what it says of partitions may be long over.
var errStale = errors.New("the broker does not follow the metadata quorum")

// errDiscovering is in the error of a call that did not get as far as its own request.
var errDiscovering = errors.New("discovering brokers")

// errUnknownBroker is an id that is not among the brokers that serve: fenced, stopped, or a controller's.
var errUnknownBroker = errors.New("not among the brokers that serve")

// classified adds ErrUnreachable to every error that is not an answer of Kafka's.
func classified(err error) error {
	if err == nil || isAnswer(err) || errors.Is(err, ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// isAnswer says that Kafka itself gave the error.
func isAnswer(err error) bool {
	var answer *kerr.Error
	return errors.As(err, &answer)
}

// notSent says that the request of err never left, so that it may be sent to another node.
func notSent(err error) bool {
	var dial *dialError
	return errors.As(err, &dial) || errors.Is(err, errDiscovering)
}

// kafkaError turns the code and the optional message of an answer into an error; nil for success.
func kafkaError(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err == nil || message == nil || *message == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, *message)
}

// joinedError is errors.Join on one line: it ends up in conditions.
type joinedError []error

// joined returns the errors that are not nil as one, or nil.
func joined(errs []error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return joinedError(errs)
}

func (e joinedError) Error() string {
	parts := make([]string, len(e))
	for i, err := range e {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "; ")
}

func (e joinedError) Unwrap() []error { return e }
