// Package conformance holds what is known of Cruise Control 2.5.146 as tests: one fact each. They keep the stand-in from
// drifting away from it.
//
//	go test ./test/cruisecontrol/conformance                     the stand-in, within this process
//	CC_URL=http://host:9090/kafkacruisecontrol go test -v ...    a real one
//	CC_KAFKA=broker:9092                                         and the brokers of its Kafka, to look at what it did
//	CC_MUTATE=1                                                  and let replicas move, leaders too, and settings change
//	CC_USER, CC_PASSWORD                                         for basic authentication
//
// Without CC_MUTATE a real one only plans and answers; its Kafka stays as it is. With it, four brokers are wanted, in
// racks that leave room for the replicas of one of them on the others, and nobody's data.
package conformance
