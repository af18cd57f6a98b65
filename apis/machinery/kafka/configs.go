package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DynamicConfig implements Admin.
func (c *client) DynamicConfig(ctx context.Context, node int32) (map[string]string, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	config, err := c.describeConfig(ctx, node)
	if err != nil {
		return nil, fmt.Errorf("reading dynamic config of %s: %w", level(node), err)
	}
	return config, nil
}

// describeConfig asks where Kafka answers: a node answers for itself alone, and every broker for all of them.
func (c *client) describeConfig(ctx context.Context, node int32) (map[string]string, error) {
	if node == ClusterWide {
		resp, err := c.ask(ctx, repeatAlways, func(context.Context) kmsg.Request { return configQuestion(node) })
		if err != nil {
			return nil, err
		}
		return ownConfig(node, resp)
	}
	resp, err := c.askBroker(ctx, node, configQuestion(node))
	if err == nil {
		return ownConfig(node, resp)
	}
	if !c.toController(err) {
		return nil, err
	}
	return c.controllerConfig(ctx, node, err)
}

func configQuestion(node int32) *kmsg.DescribeConfigsRequest {
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType = kmsg.ConfigResourceTypeBroker
	r.ResourceName = resourceName(node)
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, r)
	return req
}

// controllerConfig reads the config of a controller, or fails with notFound if node is none. Which address is that node's
// is not known before they answer: all others refuse (INVALID_REQUEST).
func (c *client) controllerConfig(ctx context.Context, node int32, notFound error) (map[string]string, error) {
	if _, err := c.leaderFor(ctx, node, notFound); err != nil {
		return nil, err
	}
	var found atomic.Pointer[map[string]string]
	errs, err := c.askControllers(ctx, func(ctx context.Context, request requestFunc) error {
		resp, err := request(ctx, configQuestion(node))
		if err != nil {
			return err
		}
		config, err := ownConfig(node, resp)
		if err == nil {
			found.Store(&config)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if config := found.Load(); config != nil {
		return *config, nil
	}
	return nil, mostTelling(errs)
}

// mostTelling returns the error of a node that could not be asked, else any: those who answered are not the one asked for.
func mostTelling(errs []error) error {
	for _, err := range errs {
		if !errors.Is(err, kerr.InvalidRequest) {
			return classified(err)
		}
	}
	return fmt.Errorf("%w: its address is not among those of the controllers", ErrUnreachable)
}

// ownConfig keeps what is set at this level: the answer holds every property with the value in force and where that is
// from.
func ownConfig(node int32, resp kmsg.Response) (map[string]string, error) {
	source := kmsg.ConfigSourceDynamicBrokerConfig
	if node == ClusterWide {
		source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
	}
	config := map[string]string{}
	for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		if err := kafkaError(r.ErrorCode, r.ErrorMessage); err != nil {
			return nil, err
		}
		maps.Copy(config, setAt(source, r.Configs))
	}
	return config, nil
}

// setAt are the properties that are set at one level.
func setAt(source kmsg.ConfigSource, entries []kmsg.DescribeConfigsResponseResourceConfig) map[string]string {
	config := map[string]string{}
	for _, entry := range entries {
		switch {
		case entry.Source != source:
		case entry.Value == nil:
			config[entry.Name] = Hidden
		default:
			config[entry.Name] = *entry.Value
		}
	}
	return config
}

// AlterDynamicConfig implements Admin.
func (c *client) AlterDynamicConfig(ctx context.Context, node int32, set map[string]string, remove []string) error {
	if len(set) == 0 && len(remove) == 0 {
		return nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	// Also if it fails: it may have happened.
	defer c.minISR.forget()
	if err := c.alterConfig(ctx, node, func() kmsg.Request { return alteration(node, set, remove) }); err != nil {
		return fmt.Errorf("altering dynamic config of %s: %w", level(node), err)
	}
	return nil
}

// alterConfig sends the request to where Kafka accepts it: a broker for itself, any broker for all of them, and the active
// controller for every controller.
func (c *client) alterConfig(ctx context.Context, node int32, build func() kmsg.Request) error {
	if node == ClusterWide {
		resp, err := c.ask(ctx, repeatAlways, func(context.Context) kmsg.Request { return build() })
		return alterationError(resp, err)
	}
	resp, err := c.askBroker(ctx, node, build())
	if !c.toController(err) {
		return alterationError(resp, err)
	}
	leader, err := c.leaderFor(ctx, node, err)
	if err != nil {
		return err
	}
	return alterationError(leader(ctx, build()))
}

// toController says whether a node that was not found among the brokers may be a controller.
func (c *client) toController(err error) bool {
	missed := errors.Is(err, errUnknownBroker) || errors.Is(err, errNoBrokers) || notSent(err)
	return err != nil && missed && c.hasControllers()
}

// leaderFor returns the active controller if node is a controller, else notFound. The active controller would change the
// config of a broker too, stopped or not, but only the broker itself checks whether it can live with it.
func (c *client) leaderFor(ctx context.Context, node int32, notFound error) (requestFunc, error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return nil, err
	}
	controllers, err := controllerIDs(ctx, leader)
	if err != nil {
		return nil, classified(err)
	}
	if !slices.Contains(controllers, node) {
		return nil, notFound
	}
	return leader, nil
}

func alterationError(resp kmsg.Response, err error) error {
	if err != nil {
		return classified(err)
	}
	for _, r := range resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		if err := kafkaError(r.ErrorCode, r.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// alteration is the request that changes these properties of a node and no other (KIP-339), in a fixed order.
func alteration(node int32, set map[string]string, remove []string) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resourceChange(kmsg.ConfigResourceTypeBroker, resourceName(node), ConfigChange{Set: set, Remove: remove}))
	return req
}

func resourceChange(kind kmsg.ConfigResourceType, name string, change ConfigChange) kmsg.IncrementalAlterConfigsRequestResource {
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, name
	for _, name := range slices.Sorted(maps.Keys(change.Set)) {
		entry := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		entry.Name, entry.Op, entry.Value = name, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(change.Set[name])
		r.Configs = append(r.Configs, entry)
	}
	for _, name := range slices.Sorted(slices.Values(change.Remove)) {
		entry := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		entry.Name, entry.Op = name, kmsg.IncrementalAlterConfigOpDelete
		r.Configs = append(r.Configs, entry)
	}
	return r
}

// resourceName is what Kafka calls one broker's config, and that of all of them.
func resourceName(node int32) string {
	if node == ClusterWide {
		return ""
	}
	return strconv.Itoa(int(node))
}

func level(node int32) string {
	if node == ClusterWide {
		return "the cluster"
	}
	return "node " + strconv.Itoa(int(node))
}
